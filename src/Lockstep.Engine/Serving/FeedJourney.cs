using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// One client's way through a source: a snapshot if it starts from nothing, then changes until it has caught up, then the live log with a
/// heartbeat when that is silent; and back to the changes if it was too slow for the log. This decides what is sent, and when; the source's
/// steps decide how it is read. Not thread-safe.
/// </summary>
/// <param name="steps">The source's, for this client.</param>
/// <param name="identity">What is served.</param>
/// <param name="known">The client's position; at cursor 0 it has nothing.</param>
/// <param name="request">The longest silence once the client has caught up, and what may be held for it meanwhile.</param>
internal sealed class FeedJourney<TPosition>(IFeedSteps<TPosition> steps, string identity, TPosition known, FeedRequest request)
    where TPosition : class, IFeedPosition<TPosition>
{
    private readonly LiveLog<TPosition> _live = steps.Live;
    private readonly TimeSpan _heartbeat = request.HeartbeatInterval;
    private TPosition _known = known;
    private FeedMark? _mark = request.Mark;

    /// <summary>Chunks without end; to be enumerated once.</summary>
    /// <inheritdoc cref="IFeedSource.OpenAsync" path="/exception"/>
    public async IAsyncEnumerable<FeedChunk> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        steps.Came();
        try
        {
            var standing = request.Since > 0 ? FeedChunkKind.CaughtUp : FeedChunkKind.SnapshotCompleted;
            if (standing == FeedChunkKind.SnapshotCompleted)
            {
                await foreach (var step in InTurnAsync(steps.ReadSnapshotAsync, cancellationToken).ConfigureAwait(false))
                {
                    _known = step.Position ?? _known;
                    if (!step.Lines.IsEmpty)
                        yield return Marked(FeedChunkKind.SnapshotRows, step.Lines, 0, step.Mark);
                    if (step.Page is { } page && request.WantsPages)
                        yield return new FeedChunk(FeedChunkKind.SnapshotPage, default, 0) { Page = page };
                }
            }

            while (true)
            {
                // The first time round too, when the log may reach back far enough: a client that connects gets everything committed before
                // it did, and the log's writer may not have looked since.
                var end = _live.PlaceAtEnd(identity);
                var from = _known;
                var changes = InTurnAsync(token => steps.ReadChangesAsync(from, token), cancellationToken);
                await foreach (var step in changes.ConfigureAwait(false))
                {
                    _known = step.Position ?? _known;
                    if (!step.Lines.IsEmpty)
                        yield return Marked(FeedChunkKind.Rows, step.Lines, 0, step.Mark);
                }

                yield return Marked(standing, default, _known.Cursor, null);
                standing = FeedChunkKind.CaughtUp;
                if ((steps.PositionsAreWhole ? _live.PlaceAfter(_known, identity) : end) is { } place)
                {
                    await foreach (var chunk in FollowAsync(place, cancellationToken).ConfigureAwait(false))
                        yield return chunk;
                }
                else if (_live.Identity != identity)
                {
                    // Either the log has yet to see what this client has, or it has seen more: the next read decides.
                    var pause = steps.PollInterval < _heartbeat ? steps.PollInterval : _heartbeat;
                    await Task.Delay(pause, steps.Time, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            steps.Left();
        }
    }

    /// <summary>Reads once the memory for it may be held, and holds it until all that was read has been taken.</summary>
    private async IAsyncEnumerable<FeedStep<TPosition>> InTurnAsync(
        Func<CancellationToken, IAsyncEnumerable<FeedStep<TPosition>>> read,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        if (request.Share is { } share)
            await share.TakeAsync(PageSize.Bytes, cancellationToken).ConfigureAwait(false);
        try
        {
            await foreach (var step in read(cancellationToken).ConfigureAwait(false))
                yield return step;
        }
        finally
        {
            request.Share?.Give(PageSize.Bytes);
        }
    }

    /// <summary>What the log holds from a position on, and what it gets; ends when the client was too slow for it.</summary>
    private async IAsyncEnumerable<FeedChunk> FollowAsync(long place, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (silent, part) = (false, 0);
        while (true)
        {
            switch (_live.Take(ref place, identity, out var batch, out var more, out var end, out var changed))
            {
                case LiveOutcome.Batch:
                    silent = false;

                    // The client may have read part of the batch before the log had it.
                    var (before, lines, isLast) = (_known.Cursor, _known.Rest(batch!.Pieces[part]), part == batch.Pieces.Count - 1);
                    if (isLast)
                        Reach(batch.To);
                    else
                        place--;
                    part = isLast ? 0 : part + 1;

                    // A client that does not read must not keep alive what the log drops (I8): a piece, and not its batch.
                    var mark = batch.To.Mark;
                    var reached = isLast && !more && (!lines.IsEmpty || _known.Cursor > before);
                    batch = null;
                    if (reached)
                        yield return Marked(FeedChunkKind.CaughtUp, lines, _known.Cursor, mark);
                    else if (!lines.IsEmpty)
                        yield return Marked(FeedChunkKind.Rows, lines, 0, mark);
                    break;
                case LiveOutcome.AtEnd:
                    Reach(end!);
                    if (silent)
                        yield return Marked(FeedChunkKind.CaughtUp, default, _known.Cursor, null);
                    silent = !await SignalledAsync(changed, cancellationToken).ConfigureAwait(false);
                    break;
                case LiveOutcome.Lost:
                    steps.SentBack();
                    yield break;
                case LiveOutcome.OtherFeed:
                    throw new FeedIdentityChangedException(_live.Identity!);
                default:
                    throw new FeedUnavailableException($"'{steps.Name}' is no longer served here.", TimeSpan.FromSeconds(1));
            }
        }
    }

    /// <summary>A chunk, with its mark if that is further than what the client has heard.</summary>
    private FeedChunk Marked(FeedChunkKind kind, ReadOnlyMemory<byte> lines, long since, FeedMark? mark)
    {
        var reached = FeedMark.Later(mark, _known.Mark);
        var isNews = reached is { } now && !(_mark is { } told && !now.IsBeyond(told));
        if (isNews)
            _mark = reached;
        return new FeedChunk(kind, lines, since) { Mark = isNews ? reached : null };
    }

    /// <summary>The client may have read further than the log.</summary>
    private void Reach(TPosition position)
    {
        if (_known.IsWithin(position))
            _known = position;
    }

    private async Task<bool> SignalledAsync(Task changed, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(_heartbeat, steps.Time, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
