using Npgsql;

namespace Lockstep.Postgres;

/// <summary>Finds the tables and views of a database that can be served.</summary>
public static class PostgresCatalog
{
    // Polling can serve whatever has a txid, replication any table with a key; partitions are served with their table.
    private const string All = """
        SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT c.relispartition AND n.nspname NOT IN ('lockstep', 'information_schema') AND n.nspname NOT LIKE 'pg\_%' AND CASE WHEN $1
            THEN c.relkind IN ('r', 'p') AND EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
            ELSE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'txid' AND attnum > 0 AND NOT attisdropped) END
        ORDER BY 1, 2
        """;

    /// <summary>The tables and views that match a pattern, less those to exclude.</summary>
    /// <param name="connectionString">For Npgsql. Never shown (I9).</param>
    /// <param name="patterns">
    /// Each <c>schema.table</c>, or <c>table</c> for the schema public; a <c>*</c> stands for any text. One without a star is returned even
    /// if it does not exist, so that this can be reported.
    /// </param>
    /// <param name="exclude">Patterns of tables and views to leave out.</param>
    /// <param name="mode">How they will be served: polling finds only those that report their changes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PostgresAccessException">The login is refused.</exception>
    /// <exception cref="Engine.Serving.FeedUnavailableException">The database cannot be reached.</exception>
    public static async Task<IReadOnlyList<TableName>> FindAsync(
        string connectionString,
        IReadOnlyList<string> patterns,
        IReadOnlyList<string> exclude,
        PostgresFeedMode mode,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(patterns);
        ArgumentNullException.ThrowIfNull(exclude);
        var named = patterns.Where(p => !p.Contains('*', StringComparison.Ordinal)).Select(TableName.Parse).ToArray();
        if (named.Length == patterns.Count)
            return named;
        var source = PostgresConnection.CreateSource(connectionString, 1);
        await using (source.ConfigureAwait(false))
        {
            try
            {
                var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    var all = await connection
                        .QueryAsync(
                            All,
                            [mode == PostgresFeedMode.Replication],
                            r => new TableName(r.GetString(0), r.GetString(1)),
                            cancellationToken
                        )
                        .ConfigureAwait(false);
                    return [.. named.Concat(all.Where(t => Fits(t, patterns) && !Fits(t, exclude)).Except(named))];
                }
            }
            catch (Exception e) when (PostgresErrors.IsOfDriver(e))
            {
                throw PostgresErrors.Translate(e, "the database", source);
            }
        }
    }

    private static bool Fits(TableName table, IReadOnlyList<string> patterns) =>
        patterns.Any(pattern =>
        {
            var whole = pattern.Contains('.', StringComparison.Ordinal) ? pattern : "public." + pattern;
            return System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(
                whole.Replace("?", "\\?", StringComparison.Ordinal),
                table.ToString(),
                ignoreCase: false
            );
        });
}
