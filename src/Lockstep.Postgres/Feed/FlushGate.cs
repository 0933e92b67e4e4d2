using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Holds back what a server crash could still undo: with <c>synchronous_commit = off</c> a snapshot shows commits that are not on disk yet,
/// and their transaction ids are reused after a crash. Thread-safe.
/// </summary>
internal sealed class FlushGate(NpgsqlDataSource source, TimeProvider time) : IDisposable
{
    /// <summary>How long the server gets to flush by itself before it is forced to.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);
    private const string Flushed = $"SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint, {StateSql.Timeline}";

    private readonly SemaphoreSlim _one = new(1);
    private volatile Seen _seen = new("", 0);

    public void Dispose() => _one.Dispose();

    /// <summary>Returns when everything that a snapshot shows is on the server's disk.</summary>
    /// <remarks>
    /// An idle server does not write the last part of its log until somebody commits; after a while this method forces it to. What a
    /// replica shows was already on its primary's disk.
    /// </remarks>
    /// <exception cref="FeedUnavailableException">Another server has taken over, whose log may never reach the snapshot's end.</exception>
    public async ValueTask WaitAsync(SnapshotState state, CancellationToken cancellationToken)
    {
        if (state.End <= state.Flushed || IsSafe(state))
            return;
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (IsSafe(state))
                return;
            var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                for (var started = time.GetTimestamp(); ; )
                {
                    var found = await connection
                        .QueryAsync(Flushed, [], r => (Place: r.GetInt64(0), Timeline: r.GetInt32(1)), cancellationToken)
                        .ConfigureAwait(false);
                    if (found[0].Timeline != state.Timeline)
                        throw new FeedUnavailableException("Another server has taken over.", TimeSpan.FromSeconds(1));
                    _seen = new Seen(state.Log, found[0].Place);
                    if (IsSafe(state))
                        return;
                    if (time.GetElapsedTime(started) >= Patience)
                        await LogMark.WriteAsync(connection, cancellationToken).ConfigureAwait(false);
                    else
                        await Task.Delay(Moment, time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _one.Release();
        }
    }

    private bool IsSafe(SnapshotState state) => _seen is var seen && seen.Log == state.Log && seen.Flushed >= state.End;

    private sealed record Seen(string Log, long Flushed);
}
