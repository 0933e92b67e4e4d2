using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>Where a page of changes ended.</summary>
/// <param name="Txid">Of its last row.</param>
/// <param name="Key">Of its last row, each part as text.</param>
internal sealed record ChangePosition(long Txid, string[] Key);

/// <summary>A page of rows.</summary>
/// <param name="Stamp">The snapshot in which it was read.</param>
/// <param name="Lines">Its rows.</param>
/// <param name="Next">Where it ended; null if nothing follows.</param>
internal sealed record FeedPage<TPosition>(FeedStamp Stamp, FeedLines Lines, TPosition? Next)
    where TPosition : class;

/// <summary>Reads a table in pages, each a short transaction.</summary>
internal static class FeedPages
{
    /// <summary>Reads a page of rows in key order, above a key (empty: from the start).</summary>
    /// <param name="database">Reads.</param>
    /// <param name="connection">Open and idle.</param>
    /// <param name="after">The key, each part as text; empty for the first page.</param>
    /// <param name="horizon">The horizon of the first page, which bounds every row's <c>since</c>; null for the first page.</param>
    /// <param name="limit">The most rows.</param>
    /// <param name="bytes">The page ends with the row that reaches this size (I8).</param>
    /// <param name="filter">Which rows are wanted; others may be returned too.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    public static async Task<FeedPage<string[]>> ReadKeysAsync(
        FeedDatabase database,
        NpgsqlConnection connection,
        string[] after,
        long? horizon,
        int limit,
        int bytes,
        FeedFilter? filter,
        CancellationToken cancellationToken
    )
    {
        var lines = database.NewLines();
        string[]? next = null;
        IReadOnlyList<TableColumn> key = [];
        var reading = database.ReadAsync(
            connection,
            table =>
            {
                key = table.Key;
                List<object?> parameters = [limit, .. after];
                var conditions = ConditionSql.Of(table, filter, parameters);
                return new FeedQuery(FeedSql.Page(table, after.Length > 0, conditions), [.. parameters]);
            },
            async (stamp, rows) =>
            {
                while (next is null && await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    lines.Append(rows, stamp.Table.Key, horizon ?? stamp.Snapshot.Xmin);
                    if (lines.Rows == limit || lines.Bytes >= bytes)
                        next = KeyOf(rows);
                }
            },
            cancellationToken
        );
        try
        {
            return new FeedPage<string[]>(await reading.ConfigureAwait(false), lines, next);
        }
        catch (PostgresException e) when (after.Length > 0 && PostgresErrors.IsOfData(e))
        {
            // The rows may be the cause as well.
            if (!await PagePosition.IsForgedAsync(connection, key, after, cancellationToken).ConfigureAwait(false))
                throw;
            throw new FeedPositionException(e);
        }
    }

    /// <summary>Reads a page of the changes that a snapshot does not show, above a position.</summary>
    public static async Task<FeedPage<ChangePosition>> ReadChangesAsync(
        FeedDatabase database,
        NpgsqlConnection connection,
        PgSnapshot known,
        ChangePosition? after,
        long? horizon,
        int limit,
        CancellationToken cancellationToken
    )
    {
        var lines = database.NewLines();
        ChangePosition? next = null;
        var stamp = await database
            .ReadAsync(
                connection,
                table => ChangesQuery(table, known, after, limit),
                async (stamp, rows) =>
                {
                    while (next is null && await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        lines.Append(rows, stamp.Table.Key, horizon ?? stamp.Snapshot.Xmin);
                        if (lines.Rows == limit || lines.Bytes >= PageSize.Bytes)
                            next = new ChangePosition(rows.GetInt64(0), KeyOf(rows));
                    }
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        return new FeedPage<ChangePosition>(stamp, lines, next);
    }

    /// <summary>The query for all rows of a table that cannot be read in pages; rows that a filter leaves out may be missing.</summary>
    public static FeedQuery WholeQuery(TableDescription table, FeedFilter? filter)
    {
        List<object?> parameters = [];
        var conditions = ConditionSql.Of(table, filter, parameters);
        return new FeedQuery(FeedSql.Whole(table, conditions), [.. parameters]);
    }

    /// <summary>The query for the changes that a snapshot does not show.</summary>
    public static FeedQuery ChangesQuery(TableDescription table, PgSnapshot known, ChangePosition? after, int limit)
    {
        // Once the position is past the snapshot's xmax, everything that was in progress then lies behind it, and the index alone gives the
        // order.
        var range = new ChangeRange(known.InProgress.Length > 0 && !(after?.Txid >= known.Xmax), after is not null);
        object?[] position = after is null ? [] : [after.Txid, .. after.Key];
        return new FeedQuery(FeedSql.Changes(table, range), [known.Xmax, known.InProgressArray, limit, .. position]);
    }

    private static string[] KeyOf(NpgsqlDataReader row)
    {
        var key = new string[row.FieldCount - RowLines.KeyAt];
        for (var i = 0; i < key.Length; i++)
            key[i] = row.GetString(RowLines.KeyAt + i);
        return key;
    }
}
