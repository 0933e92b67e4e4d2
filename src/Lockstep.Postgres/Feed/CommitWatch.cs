namespace Lockstep.Postgres.Feed;

/// <summary>
/// Finds out whether anything at all was committed in a database: one query serves all feeds that ask at about the same time. Thread-safe.
/// </summary>
internal sealed class CommitWatch(DatabasePool pool, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1);
    private volatile Answer? _last;

    /// <summary>The server's current snapshot, which feeds that ask at about the same time share.</summary>
    /// <param name="after">An answer to a query sent before this timestamp is too old.</param>
    /// <param name="age">So is an answer to a query sent longer ago than this.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<PgSnapshot> LookAsync(long after, TimeSpan age, CancellationToken cancellationToken)
    {
        if (Fresh() is { } known)
            return known;
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (Fresh() is { } meanwhile)
                return meanwhile;
            var asked = time.GetTimestamp();
            var snapshot = await pool.InTurnAsync(
                    pool.Looks,
                    async (connection, token) =>
                    {
                        const string Sql = "SELECT pg_current_snapshot()::text";
                        var found = await connection
                            .QueryAsync(Sql, [], r => PgSnapshot.Parse(r.GetString(0)), token)
                            .ConfigureAwait(false);
                        return found[0];
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
            _last = new Answer(asked, snapshot);
            return snapshot;
        }
        finally
        {
            _one.Release();
        }

        PgSnapshot? Fresh() => _last is { } last && last.Asked >= after && time.GetElapsedTime(last.Asked) <= age ? last.Snapshot : null;
    }

    public void Dispose() => _one.Dispose();

    private sealed record Answer(long Asked, PgSnapshot Snapshot);
}
