using System.Globalization;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;
using Npgsql;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>What the database may leave out of a filtered read, and that it leaves out nothing else.</summary>
public sealed class FilterPushdownTests(SharedPostgres postgres)
{
    private static readonly string[] Fields =
    [
        "id",
        "updated_at",
        "deleted_at",
        "value",
        "port",
        "Port",
        "two words",
        "lockstep_seq",
        "select",
    ];

    private static readonly string[] Values =
    [
        "0",
        "1",
        "-1",
        "80",
        "80.0",
        "8e1",
        "80.00000000000000000001",
        "79.99999999999999999999",
        "9007199254740993",
        "9007199254740992",
        "9223372036854775808",
        "9223372036854775809",
        "123456789012345678901234567890",
        "0.1",
        "0.1000000000000000055511151231257827",
        "1e400",
        "-1e-400",
        "1E5",
        "-0",
        "true",
        "false",
        "null",
        "\"\"",
        "\"80\"",
        "\"a\"",
        "\"A\"",
        "\"ab\"",
        "\"aé\"",
        "\"AÉ\"",
        "\"z\"",
        "\"50%\"",
        "\"a_b\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\u0061\"",
        "\"a\\\\b\"",
        "\"😀\"",
        "\"Abc'd\"",
        "{}",
        "[]",
        "[1]",
        "{\"a\":1}",
        "\"[1]\"",
        "\"{}\"",
    ];

    private static readonly string[] Literals =
    [
        "0",
        "1",
        "80",
        "-1",
        "80.0",
        ".1",
        "0.1",
        "9007199254740992",
        "9223372036854775807",
        "9223372036854775808",
        "9007199254740993",
        "80.00000000000000000001",
        "0.1000000000000000055511151231257827",
        "-1e-400",
        "1e+400",
        "'80'",
        "''",
        "'a'",
        "'A'",
        "'aé'",
        "'Abc''d'",
        "'[1]'",
        "'{}'",
        "'z'",
        "NULL",
        "8e1",
        "0x50",
        "true",
        ":n",
        ":t",
        "@b",
        "$d",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int> Seeds =>
        [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("LOCKSTEP_SEEDS") ?? "3", CultureInfo.InvariantCulture))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_filter_finds_the_same_records_as_on_a_table_file(int seed)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        twins.Fields = Fields;
        var random = new Random(seed);
        twins.Commit([.. Enumerable.Range(1, 300).Select(Record)]);
        for (var i = 0; i < 150; i++)
        {
            var filter = Expression(3);
            var all = new Dictionary<string, object?>
            {
                ["n"] = 80,
                ["t"] = "a",
                ["b"] = true,
                ["d"] = 0.1,
            };
            twins.AssertAlike(
                new RecordQuery
                {
                    Filter = filter,
                    FilterParameters = all.Where(p =>
                            filter.Contains($":{p.Key}", StringComparison.Ordinal)
                            || filter.Contains($"@{p.Key}", StringComparison.Ordinal)
                            || filter.Contains($"${p.Key}", StringComparison.Ordinal)
                        )
                        .ToDictionary(),
                    Since = random.Next(4) == 0 ? random.NextInt64(300) : null,
                    IncludeDeleted = random.Next(3) == 0,
                    First = random.Next(4) == 0 ? 5 : null,
                }
            );
        }

        string Pick(string[] from) => from[random.Next(from.Length)];

        string Record(int id)
        {
            var members = new List<string> { $"\"id\":{id}", $"\"updated_at\":{id}", $"\"deleted_at\":{(id % 9 == 0 ? id : "null")}" };
            foreach (var field in Fields[3..])
            {
                if (random.Next(4) == 0)
                    continue;
                members.Add($"\"{field}\":{Pick(Values)}");
                if (random.Next(12) == 0)
                    members.Add($"\"{field}\":{Pick(Values)}");
            }

            return "{" + string.Join(random.Next(2) == 0 ? "," : " , ", members) + "}";
        }

        string Expression(int depth) =>
            depth > 0 && random.Next(3) > 0
                ? random.Next(6) switch
                {
                    0 => $"({Expression(depth - 1)})",
                    1 => $"not {Expression(depth - 1)}",
                    2 or 3 => $"{Expression(depth - 1)} AND {Expression(depth - 1)}",
                    4 => $"{Expression(depth - 1)} or {Expression(depth - 1)}",
                    _ => $"case when {Expression(depth - 1)} then {Expression(depth - 1)} else {Expression(depth - 1)} end",
                }
                : Comparison();

        string Comparison()
        {
            var field = Pick([
                "value",
                "port",
                "\"port\"",
                "PORT",
                "[port]",
                "`Port_2`",
                "\"two words\"",
                "id",
                "\"select\"",
                "lockstep_seq",
                "updated_at",
            ]);
            return random.Next(12) switch
            {
                0 => $"{field} is null",
                1 => $"{field} is not null",
                2 => $"{field} in ({Pick(Literals)}, {Pick(Literals)})",
                3 => $"{field} not in ({Pick(Literals)})",
                4 => $"{field} between {Pick(Literals)} and {Pick(Literals)}",
                5 => $"{field} like {Pick(["'a%'", "'A_'", "'%é'", "'50%'", "'a\\%'", "'8%'", "''", "'%'", ":t"])}",
                6 => $"{field} not like 'a%'",
                7 => $"{Pick(Literals)} {Pick(["=", "<", "<=", ">", ">=", "<>"])} {field}",
                8 => $"{field} = 'A' collate nocase",
                9 => $"{field} + 1 > {Pick(["0", "1", "80", "8e1", ":n", "@b", "true"])}",
                _ => $"{field} {Pick(["=", "==", "!=", "<>", "<", "<=", ">", ">="])} {Pick(Literals)}",
            };
        }
    }

    [Theory]
    [InlineData("value = 7", 1)]
    [InlineData("value > 7 and value <= 9", 2)]
    [InlineData("7 = value OR (value = '8' or value = 9)", 2)]
    [InlineData("value in (1, 2, '3') and abs(id) > 0", 2)]
    [InlineData("value between :low and 5 and value is not null", 3)]
    [InlineData("name like 'NAME1_'", 10)]
    [InlineData("missing is null and value = 50", 1)]
    [InlineData("value = 7 or abs(id) = 3", 50)]
    [InlineData("not value = 7", 50)]
    [InlineData("case when value = 7 then 1 end", 50)]
    [InlineData("(select value = 7)", 50)]
    [InlineData("value = 7 -- and that", 1)]
    [InlineData("value = 7 collate nocase", 50)]
    public async Task What_its_comparisons_rule_out_stays_in_the_database(string filter, long come)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TABLE r (body text); INSERT INTO r SELECT format('{\"id\":%s,\"value\":%s,\"name\":\"name%s\"}', g, g, "
                + "g) FROM generate_series(1, 50) g"
        );
        List<string> values = [];
        var query = new RecordQuery
        {
            Filter = filter,
            FilterParameters = new Dictionary<string, object?> { ["low"] = 3.0 },
        };
        var condition = FilterPushdown.Of(query, ["id", "value", "name", "missing"], values, 1);
        Assert.Equal(come == 50, condition is null);
        await using var connection = await db.ConnectAsync();
        await using var command = new NpgsqlCommand($"SELECT count(*) FROM r WHERE {condition ?? "true"}", connection);
        foreach (var value in values)
            command.Parameters.Add(new NpgsqlParameter { Value = value });
        Assert.Equal(come, Convert.ToInt64(await command.ExecuteScalarAsync(Cancel), CultureInfo.InvariantCulture));
    }
}
