using System.Buffers.Binary;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>The rule of I3 is written once (<see cref="RecordRule"/>), and again in SQL, which cannot call it.</summary>
public sealed class SqlRuleTests(SharedPostgres postgres)
{
    private const string Target = "pg_temp.lockstep_target";

    /// <summary>What is stored and what comes; an order value of null is unknown.</summary>
    private sealed record Case(RowState? Stored, int? StoredOrder, RowState Coming, int Order, bool IsSame)
    {
        public const string StoredBody = "old";

        public string Body => IsSame ? StoredBody : "new";
    }

    [Theory]
    [Trait("Invariant", "I3")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task SQL_judges_as_the_rule_does_in_every_case(bool isWholeSet)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var connection = await db.ConnectAsync();
        var source = isWholeSet ? TableSql.Snapshot : TableSql.Stage;
        await RunAsync(connection, $"{TableSql.CreateSnapshot}; {TableSql.CreateStage}");
        await RunAsync(connection, $"CREATE TEMP TABLE lockstep_target (LIKE {TableSql.Snapshot} INCLUDING ALL)");
        Case[] cases =
        [
            .. from stored in (RowState?[])[null, RowState.Live, RowState.Deleted, RowState.Swept]
            from known in stored is null ? [(int?)null] : (int?[])[null, 5]
            from coming in (RowState[])[RowState.Live, RowState.Deleted]
            from order in (int[])[4, 5, 6]
            from isSame in (bool[])[true, false]
            select new Case(stored, known, coming, order, isSame),
        ];
        for (var i = 0; i < cases.Length; i++)
        {
            if (cases[i].Stored is { } stored)
            {
                await RunAsync(
                    connection,
                    $"INSERT INTO {Target} (key, seq, born, ord, gone, body) VALUES ($1, 0, 0, $2, $3, $4)",
                    KeyOf(i),
                    (object?)cases[i].StoredOrder ?? DBNull.Value,
                    (short)stored,
                    Case.StoredBody
                );
            }

            await RunAsync(
                connection,
                $"INSERT INTO {source} (key, seq, {(isWholeSet ? "born, " : "")}ord, gone, body) "
                    + $"VALUES ($1, 1, {(isWholeSet ? "1, $2" : "$2::int::text")}, $3, $4)",
                KeyOf(i),
                cases[i].Order,
                (short)cases[i].Coming,
                cases[i].Body
            );
        }

        var kinds = await ChangesAsync(connection, TableSql.Merge(Target, source, wantsChanges: true, isArrival: false));
        var orders = await OrdersAsync(connection);

        Assert.Equal(cases.Select(c => $"{c}: {Judge(c, isWholeSet)}"), cases.Select((c, i) => $"{c}: {Seen(c, i)}"));

        Verdict Seen(Case judged, int place) =>
            kinds.TryGetValue(place, out var kind) ? (Verdict)kind
            : judged.Stored is not null && orders[place] != judged.StoredOrder ? Verdict.OrderRises
            : Verdict.Nothing;
    }

    private static Verdict Judge(Case judged, bool isWholeSet) =>
        RecordRule.Judge(
            judged.Stored,
            judged.StoredOrder is { } known ? judged.Order.CompareTo(known) : 1,
            judged.Coming,
            judged.IsSame,
            isWholeSet
        );

    private static byte[] KeyOf(int place)
    {
        var key = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(key, place);
        return key;
    }

    private static async Task<Dictionary<int, int>> ChangesAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var kinds = new Dictionary<int, int>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
            kinds.Add(BinaryPrimitives.ReadInt32BigEndian(reader.GetFieldValue<byte[]>(3)), reader.GetInt32(0));
        return kinds;
    }

    private static async Task<Dictionary<int, int?>> OrdersAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand($"SELECT key, ord::int FROM {Target}", connection);
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var orders = new Dictionary<int, int?>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
        {
            orders.Add(
                BinaryPrimitives.ReadInt32BigEndian(reader.GetFieldValue<byte[]>(0)),
                await reader.IsDBNullAsync(1, TestContext.Current.CancellationToken) ? null : reader.GetInt32(1)
            );
        }

        return orders;
    }

    private static async Task RunAsync(NpgsqlConnection connection, string sql, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }
}
