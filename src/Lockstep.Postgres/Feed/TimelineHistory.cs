using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Where a server's earlier timelines ended: what was written on one beyond that point never reached the current one. The history is in a
/// file, which a superuser may read, and others through a function created by a superuser. Thread-safe.
/// </summary>
internal sealed class TimelineHistory(NpgsqlDataSource source, PostgresFeedOptions options, TimeProvider time)
{
    /// <summary>How long to wait before asking again after getting no answer.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private const string Function = "lockstep.timeline_history(integer)";

    private readonly Lock _gate = new();
    private (long Timeline, Task<Dictionary<long, long>?> Ends, long Asked)? _known;

    /// <summary>How far a client was told of anything: its mark or, if it sent none, everything it stored under the timeline.</summary>
    public static FeedMark Reached(FeedMark? mark, long told) =>
        mark is { } reached && reached.Era >= told ? reached : new FeedMark(told, long.MaxValue);

    /// <summary>Whether a timeline contains everything up to a mark, so that nothing was lost.</summary>
    /// <exception cref="FeedUnavailableException">The server did not answer, or not in time.</exception>
    public async Task<bool> HasAsync(FeedMark reached, long timeline, CancellationToken cancellationToken) =>
        reached.Era == timeline
        || (
            reached.Era < timeline
            && await EndOfAsync(timeline, reached.Era, cancellationToken).ConfigureAwait(false) is { } end
            && reached.Place <= end
        );

    /// <summary>The position at which a timeline was left for a later one; null if it was not, or if that is unknown.</summary>
    /// <param name="timeline">The server's timeline.</param>
    /// <param name="earlier">The earlier timeline.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<long?> EndOfAsync(long timeline, long earlier, CancellationToken cancellationToken)
    {
        Task<Dictionary<long, long>?> ends;
        lock (_gate)
        {
            var isKnown =
                _known is { } known
                && known.Timeline == timeline
                && !known.Ends.IsFaulted
                && !(known.Ends is { IsCompletedSuccessfully: true, Result: null } && time.GetElapsedTime(known.Asked) > Pause);
            if (!isKnown)
                _known = (timeline, ReadAsync(timeline), time.GetTimestamp());
            ends = _known!.Value.Ends;
        }

        return await ends.WaitAsync(cancellationToken).ConfigureAwait(false) is { } all && all.TryGetValue(earlier, out var end)
            ? end
            : null;
    }

    /// <summary>Parses the server's file: one line per timeline, with the position at which it ended.</summary>
    internal static Dictionary<long, long> Parse(string text)
    {
        var ends = new Dictionary<long, long>();
        foreach (var line in text.Split('\n'))
        {
            var parts = line.Split('\t', StringSplitOptions.TrimEntries);
            if (
                parts.Length >= 2
                && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var timeline)
                && NpgsqlTypes.NpgsqlLogSequenceNumber.TryParse(parts[1], out var end)
            )
            {
                ends[timeline] = (long)(ulong)end;
            }
        }

        return ends;
    }

    private async Task<Dictionary<long, long>?> ReadAsync(long timeline)
    {
        // Several clients may wait for the answer, and the one that asked first may leave.
        using var patience = new CancellationTokenSource(Pause, time);
        try
        {
            var connection = await source.OpenConnectionAsync(patience.Token).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var hasFunction = await connection
                    .QueryAsync($"SELECT to_regprocedure('{Function}') IS NOT NULL", [], r => r.GetBoolean(0), patience.Token)
                    .ConfigureAwait(false);
                var found = await connection
                    .QueryAsync(
                        hasFunction[0]
                            ? "SELECT lockstep.timeline_history($1)"
                            : "SELECT pg_read_file(format('pg_wal/%s.history', lpad(upper(to_hex($1)), 8, '0')))",
                        [(int)timeline],
                        r => r.GetString(0),
                        patience.Token
                    )
                    .ConfigureAwait(false);
                return Parse(found[0]);
            }
        }
        catch (Exception e) when (e is OperationCanceledException || PostgresErrors.IsPassing(e))
        {
            // The server may answer later, so clients wait rather than start over.
            throw new FeedUnavailableException("The server does not say yet where its earlier timelines ended.", options.RetryAfter, e);
        }
        catch (PostgresException e)
        {
            PostgresLog.Notice(
                options.Logger,
                $"{options.Table}: the server does not say where its earlier timelines ended ({e.Message.TrimEnd('.')}), "
                    + $"so clients from before a failover have to resync. Have a superuser create the function {Function}: see "
                    + $"OPERATING.md."
            );
            return null;
        }
    }
}
