using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// What a node's streams brought and was refused for now: per stream and source the refused update first, then everything later. It neither
/// verifies nor applies, and has no timer: its caller has those, under the node's lock.
/// </summary>
/// <param name="maxUpdates">How many updates of one stream are kept; beyond that a source is requested again when due.</param>
internal sealed class HoldBook<TStream>(int maxUpdates)
    where TStream : class
{
    /// <summary>How many sources of one stream may be held; a stream that brings more is ended.</summary>
    public const int MaxSources = 10_000;

    /// <summary>How many sources of all streams together.</summary>
    public const int MaxSourcesInAll = 50_000;

    /// <summary>How many bytes of updates of one stream are kept; handled like the number of updates.</summary>
    public const long MaxBytes = 64L << 20;

    /// <summary>How many bytes of updates of all streams together.</summary>
    public const long MaxBytesInAll = 256L << 20;

    private readonly Dictionary<TStream, StreamHolds> _streams = [];

    /// <summary>What must be checked, in order of change; holds that ended meanwhile are skipped.</summary>
    private readonly Queue<(TStream Stream, HeldSource Held)> _changed = [];
    private int _sources;
    private long _bytes;

    public bool IsEmpty => _streams.Count == 0;

    /// <summary>Whether something has changed that may end a hold and has not yet been returned by <see cref="TakeNext"/>.</summary>
    public bool MustLook => _changed.Count > 0;

    /// <summary>When the first of the updates stamped too far ahead may be applied; null if there is none.</summary>
    public DateTimeOffset? NextDue => All.Min(static held => held.Due);

    private IEnumerable<HeldSource> All => _streams.Values.SelectMany(static holds => holds.Sources.Values);

    /// <summary>Each held source once, in order of id.</summary>
    public IReadOnlyList<GossipHold> List() =>
        [
            .. All.Select(static held => new GossipHold(held.Source, held.Due, held.Updates.Count))
                .OrderBy(static hold => hold.Source, StringComparer.Ordinal)
                .ThenByDescending(static hold => hold.Count)
                .DistinctBy(static hold => hold.Source),
        ];

    /// <summary>Holds an update if its source is held on this stream.</summary>
    public bool TryAdd(TStream from, GossipUpdate update)
    {
        if (Find(from, update.Source) is not { } held)
        {
            return false;
        }

        Keep(from, held, update);
        return true;
    }

    /// <summary>Starts holding a source on a stream.</summary>
    /// <param name="from">The stream.</param>
    /// <param name="update">The refused update.</param>
    /// <param name="due">When it may be applied; null to wait for a key.</param>
    public void Begin(TStream from, GossipUpdate update, DateTimeOffset? due)
    {
        if (!_streams.TryGetValue(from, out var sources))
        {
            _streams.Add(from, sources = new StreamHolds());
        }

        var bytes = BytesOf(update.Source);
        if (
            sources.Sources.Count >= MaxSources
            || _sources >= MaxSourcesInAll
            || sources.Bytes + bytes > MaxBytes
            || _bytes + bytes > MaxBytesInAll
        )
        {
            throw new GossipProtocolException(
                $"The peer brings updates of more than {MaxSources} sources, or of too many with those of others, that "
                    + $"cannot be accepted now."
            );
        }

        var held = new HeldSource(update.Source) { Due = due };
        sources.Sources.Add(update.Source, held);
        _sources++;
        Count(sources, 0, bytes);
        Keep(from, held, update);
    }

    /// <summary>A stream has ended: the next one asks its peer again.</summary>
    public void End(TStream from)
    {
        if (_streams.Remove(from, out var holds))
        {
            _sources -= holds.Sources.Count;
            _bytes -= holds.Bytes;
        }
    }

    /// <summary>The clock has advanced for a source, through any stream.</summary>
    public void NoteAdvance(string source)
    {
        foreach (var (stream, sources) in _streams)
        {
            if (sources.Sources.TryGetValue(source, out var held))
            {
                LookAgain(stream, held);
            }
        }
    }

    /// <summary>A key may have been added: holds waiting for one are checked again.</summary>
    public void NoteKeys() => LookAgain(static held => held.Due is null);

    /// <summary>Time has passed: what is due is checked again.</summary>
    public void NoteTime(DateTimeOffset now) => LookAgain(held => held.Due <= now);

    /// <summary>A hold to check, with its current updates: to be verified outside the lock and passed to <see cref="Release"/>.</summary>
    public HoldTicket<TStream>? TakeNext()
    {
        while (_changed.TryDequeue(out var next))
        {
            var (stream, held) = next;
            if (held.LookAgain && !held.Busy && Find(stream, held.Source) == held)
            {
                held.LookAgain = false;
                held.Busy = true;
                return new HoldTicket<TStream>(stream, held, held.Updates.ToArray());
            }
        }

        return null;
    }

    /// <summary>
    /// Applies what may be applied now, in order, up to the first update that may not. The hold ends when nothing remains.
    /// </summary>
    /// <param name="ticket">The hold that was checked.</param>
    /// <param name="verified">Which of the updates are signed as required.</param>
    /// <param name="clock">The node's clock, which applying advances.</param>
    /// <param name="dueTime">When an update may be applied; null for now.</param>
    /// <param name="apply">Applies an update.</param>
    /// <returns>Whether the stream must be renewed, because dropped updates are due and no other stream brings them.</returns>
    public bool Release(
        HoldTicket<TStream> ticket,
        bool[] verified,
        GossipClock clock,
        Func<GossipUpdate, DateTimeOffset?> dueTime,
        Action<TStream, GossipUpdate> apply
    )
    {
        var held = ticket.Held;
        held.Busy = false;
        var askAgain = held.MayAskAgain;
        held.MayAskAgain = false;
        if (Find(ticket.Stream, held.Source) != held)
        {
            return false;
        }

        if (held.LookAgain)
        {
            // Something changed during the verification.
            _changed.Enqueue((ticket.Stream, held));
        }

        for (var i = 0; i < ticket.Updates.Length && held.Updates.TryPeek(out var update) && update == ticket.Updates[i]; i++)
        {
            if (clock.Covers(update))
            {
                Forget(_streams[ticket.Stream], held.Updates.Dequeue());
                continue;
            }

            held.Due = dueTime(update);
            if (!verified[i] || held.Due is not null)
            {
                return false;
            }

            Forget(_streams[ticket.Stream], held.Updates.Dequeue());
            apply(ticket.Stream, update);
        }

        if (held.Updates.Count > 0)
        {
            // More arrived while these were being verified.
            LookAgain(ticket.Stream, held);
            return false;
        }

        if (!held.Overflowed || clock[held.Source] >= held.LastDropped)
        {
            Remove(ticket.Stream, held);
            return false;
        }

        held.Due = askAgain ? null : held.Due;
        return askAgain;
    }

    private HeldSource? Find(TStream from, string source) =>
        _streams.TryGetValue(from, out var sources) && sources.Sources.TryGetValue(source, out var held) ? held : null;

    private void Keep(TStream from, HeldSource held, GossipUpdate update)
    {
        var holds = _streams[from];
        var bytes = BytesOf(update);
        if (!held.Overflowed && holds.Updates < maxUpdates && holds.Bytes + bytes <= MaxBytes && _bytes + bytes <= MaxBytesInAll)
        {
            Count(holds, 1, bytes);
            held.Updates.Enqueue(update);
            return;
        }

        ForgetAll(holds, held);
        held.Drop(update);
    }

    private void LookAgain(Func<HeldSource, bool> which)
    {
        foreach (var (stream, sources) in _streams)
        {
            foreach (var held in sources.Sources.Values.Where(which))
            {
                held.MayAskAgain = true;
                LookAgain(stream, held);
            }
        }
    }

    private void LookAgain(TStream stream, HeldSource held)
    {
        if (!held.LookAgain)
        {
            held.LookAgain = true;
            _changed.Enqueue((stream, held));
        }
    }

    private void Remove(TStream from, HeldSource held)
    {
        var holds = _streams[from];
        ForgetAll(holds, held);
        holds.Sources.Remove(held.Source);
        _sources--;
        Count(holds, 0, -BytesOf(held.Source));
        if (holds.Sources.Count == 0)
        {
            _streams.Remove(from);
        }
    }

    private void ForgetAll(StreamHolds holds, HeldSource held)
    {
        foreach (var update in held.Updates)
        {
            Forget(holds, update);
        }
    }

    private void Forget(StreamHolds holds, GossipUpdate update) => Count(holds, -1, -BytesOf(update));

    private void Count(StreamHolds holds, int updates, long bytes)
    {
        holds.Updates += updates;
        holds.Bytes += bytes;
        _bytes += bytes;
    }

    /// <summary>The approximate size of an update in memory; its source is counted once for all.</summary>
    private static long BytesOf(GossipUpdate update)
    {
        const int Objects = 128;
        return Objects + update.Change.Length + BytesOf(update.Signature) + BytesOf(update.Seal?.Text);
    }

    private static long BytesOf(string? text) => sizeof(char) * (long)(text?.Length ?? 0);

    /// <summary>
    /// What one stream brought, counted incrementally: a stream that brings much must not make the others wait for a sum.
    /// </summary>
    private sealed class StreamHolds
    {
        public Dictionary<string, HeldSource> Sources { get; } = new(StringComparer.Ordinal);

        public int Updates { get; set; }

        public long Bytes { get; set; }
    }
}

/// <summary>A hold that is being checked.</summary>
/// <param name="Stream">The stream that brought the source.</param>
/// <param name="Held">The hold.</param>
/// <param name="Updates">What it held when it was taken.</param>
internal sealed record HoldTicket<TStream>(TStream Stream, HeldSource Held, GossipUpdate[] Updates);
