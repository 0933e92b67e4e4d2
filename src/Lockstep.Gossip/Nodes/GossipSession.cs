using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// One stream's side of the protocol, without I/O: lines in, lines out. One thread feeds it and one drains it. Nothing is queued for the
/// peer: what it gets is read from the history, by a clock of what was handed out so far, so that history and live updates are one sequence
/// and a slow peer costs no memory.
/// </summary>
internal sealed class GossipSession
{
    public const string SchemeMember = "signature";

    public const string KindMember = "kind";

    public const string SealedForMember = "sealedFor";

    /// <summary>The amount handed out at a time; a slow peer's clock is never further ahead than what was written.</summary>
    public const int BatchBytes = 64 * 1024;

    /// <summary>The size from which a change is written directly from where it is kept instead of being copied for each peer.</summary>
    public const int LargeBytes = 64 * 1024;

    /// <summary>How many of a peer's messages are processed at a time.</summary>
    public const int MaxInbox = 4096;

    /// <summary>
    /// The number of own pages above which a peer's clock is compared to the node's. Not worthwhile for a few: a shared page is copied when
    /// it changes.
    /// </summary>
    private const int MaxOwnPages = 16;

    /// <summary>How many times per minute a peer may ask again for everything that it lacks.</summary>
    public const int MaxHellosPerMinute = 10;

    /// <summary>How long this side waits before it says hello again.</summary>
    private static readonly TimeSpan AskingPause = TimeSpan.FromSeconds(15);

    private readonly Queue<long> _hellos = [];
    private readonly GossipNode _node;
    private readonly GossipClock _peerClock;
    private readonly GossipClock _toldHorizon;

    /// <summary>The newest arrival of what the peer gets before "SYNC"; null if it has that, or has not asked.</summary>
    private long? _target;
    private HeaderWriter? _header;
    private bool _headerWritten;
    private bool _started;
    private bool _synced;
    private GossipUpdate? _large;
    private int _asked;
    private long? _askedAgainAt;

    // Not a list: a list of one of our types is compiled again in each process, and a connecting peer has its whole history to send.
    private GossipNode.Received[] _inbox = new GossipNode.Received[64];
    private int _inboxCount;

    public GossipSession(GossipNode node, GossipStreamOptions options)
    {
        _node = node;
        _peerClock = node.NewPeerClock();
        _toldHorizon = node.NewPeerClock();
        Options = options;
        Meta = ComposeMeta(node.Kind, node.Options.Security?.Scheme, node.SealedFor, options.Meta);
        SyncReceived = !Receives;
    }

    public GossipStreamOptions Options { get; }

    public GossipStream? Owner { get; init; }

    public GossipMessageParser Parser { get; } = new();

    /// <summary>The contents of the lines from one read, until they are processed under the node's lock.</summary>
    public ReadOnlySpan<GossipNode.Received> Inbox => _inbox.AsSpan(0, _inboxCount);

    internal int InboxCapacity => _inbox.Length;

    public GossipHeader? PeerHeader { get; private set; }

    public bool HasEnded { get; private set; }

    /// <summary>The horizon in the peer's header, if this node has one too.</summary>
    public GossipClock? PeerHorizon { get; private set; }

    public JsonElement? Meta { get; }

    /// <summary>What the peer has, as far as known.</summary>
    internal GossipClock PeerClock => _peerClock;

    /// <summary>Whether the peer has identified itself in what has been read so far.</summary>
    public bool Introduced { get; set; }

    public bool Receives => Options.Direction != GossipDirection.SendOnly;

    public bool Sends => Options.Direction != GossipDirection.ReceiveOnly;

    public bool SyncSent { get; private set; }

    public bool SyncReceived { get; private set; }

    /// <summary>A stream that is not to stay open has done its work.</summary>
    public bool Finished => !Options.Tail && (SyncSent || !Sends) && SyncReceived;

    /// <summary>The peer's history is in progress; worth finishing even if the peer ends.</summary>
    public bool Syncing => _target is not null;

    public Action Wake { get; init; } = static () => { };

    public Action<Exception> Fail { get; init; } = static _ => { };

    public void AddToInbox(GossipNode.Received received)
    {
        if (_inboxCount == _inbox.Length)
        {
            Array.Resize(ref _inbox, _inboxCount * 2);
        }

        _inbox[_inboxCount++] = received;
    }

    public static GossipProtocolException TooLong(int limit) => new($"A line is longer than {limit} bytes.");

    public void ClearInbox()
    {
        _inbox.AsSpan(0, _inboxCount).Clear();
        _inboxCount = 0;
    }

    /// <summary>Takes whole lines, or the last one without its end.</summary>
    public void Receive(ReadOnlySpan<byte> lines) => _node.Receive(this, lines);

    /// <summary>Whether the last thing written is the start of a line, whose next piece is written next.</summary>
    public bool IsInLine => _header is not null;

    /// <summary>Writes what must be sent now; false if there is nothing.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="large">An update to send after it, by <see cref="GossipUpdate.WriteAround"/>; usually null.</param>
    public bool Produce(ArrayBufferWriter<byte> output, out GossipUpdate? large)
    {
        _large = null;
        if (!_headerWritten)
        {
            _node.PrepareHeader();
        }

        bool more;
        lock (_node.Gate)
        {
            more = ProduceUnderLock(output);
        }

        _node.Deliver();
        large = _large;
        return more;
    }

    // What follows is called under the node's lock.

    public void PeerHas(GossipUpdate update) => _peerClock.Advance(update.Source, update.Timestamp);

    /// <summary>
    /// The peer may lack an update although its clock is past it: it is sent with everything that followed it from its source. Not to peers
    /// without counts, which would ignore it.
    /// </summary>
    public void OfferLate(GossipUpdate update)
    {
        if (PeerHeader?.MetaText(SealedForMember) is not null)
        {
            _peerClock.Lower(update.Source, Math.BitDecrement(update.Timestamp));
        }
    }

    public void TakeHeader(GossipHeader header)
    {
        Options.Hello?.Invoke();

        // The peer also has what was sent before its first header arrived.
        if (PeerHeader is not null)
        {
            // A peer that says hello again wants everything since, which costs it a line and this node its whole history.
            var now = _node.Options.TimeProvider.GetTimestamp();
            while (_hellos.TryPeek(out var first) && _node.Options.TimeProvider.GetElapsedTime(first, now) >= TimeSpan.FromMinutes(1))
            {
                _hellos.Dequeue();
            }

            if (_hellos.Count >= MaxHellosPerMinute)
            {
                throw new GossipProtocolException($"The peer said hello again more than {MaxHellosPerMinute} times in a minute.");
            }

            _hellos.Enqueue(now);
            _peerClock.Clear();
            PeerHorizon?.Clear();
        }

        _peerClock.Advance(header.Clock, !header.IsLarge);
        PeerHorizon = header.Horizon is null || _node.HorizonUnderLock is null ? null : _node.NewPeerClock();
        PeerHorizon?.Advance(header.Horizon!, !header.IsLarge);
        PeerHeader = header.WithoutEntries();
        Begin();
        Wake();
    }

    /// <summary>The stream has ended: whatever it still reads is discarded.</summary>
    public void End()
    {
        HasEnded = true;
        _peerClock.Clear();
        _toldHorizon.Clear();
        PeerHorizon?.Clear();
    }

    /// <summary>What this version reveals as missing was requested, or this is the peer that did not send it.</summary>
    public void NoteAsked(int version) => _asked = version;

    public void TakeSync()
    {
        SyncReceived = true;
        NoteSynced();
        Wake();
    }

    private void Begin()
    {
        _started = true;
        _target = GossipNode.LastArrival;
    }

    private bool ProduceUnderLock(ArrayBufferWriter<byte> output)
    {
        if (_header is not null)
        {
            WriteHeader(output);
            return true;
        }

        if (!_headerWritten)
        {
            _headerWritten = true;
            if (!Sends && !Options.SendClock)
            {
                return ProduceUnderLock(output);
            }

            WriteHeader(output);
            if (!Receives && !Options.AwaitClock)
            {
                Begin();
            }

            return true;
        }

        _node.ThrowIfUnusable();
        if (AskForMissing(output))
        {
            return true;
        }

        if (!_started || (_target is null && (!Sends || !Options.Tail)))
        {
            return false;
        }

        if (TellHorizon(output) || (Sends && Fill(output)))
        {
            return true;
        }

        if (_target is null)
        {
            if (_peerClock.OwnPages > MaxOwnPages)
            {
                _node.Share(_peerClock);
            }

            return false;
        }

        _target = null;
        SyncSent = true;
        output.Write("\"SYNC\"\n"u8);
        NoteSynced();
        return true;
    }

    private void WriteHeader(ArrayBufferWriter<byte> output)
    {
        if (_header is null)
        {
            _asked = _node.MissingVersion;
            _header = new HeaderWriter(_node.Id, _node.ClockUnderLock, Meta, _node.HorizonUnderLock);
        }

        if (!_header.Write(output, BatchBytes, _node.TimeToShow, _toldHorizon.Advance))
        {
            _header = null;
            if (_toldHorizon.OwnPages > MaxOwnPages)
            {
                _toldHorizon.Share(_node.HorizonUnderLock!, static (_, _) => false);
            }
        }
    }

    /// <summary>
    /// Says hello again, with a clock from before what is missing. Not to npm's nodes, which would listen twice from then on: they are
    /// asked when they reconnect.
    /// </summary>
    private bool AskForMissing(ArrayBufferWriter<byte> output)
    {
        if (
            _node.MissingVersion == _asked
            || !Receives
            || !Options.Tail
            || PeerHeader?.MetaText(KindMember) is null
            || (_askedAgainAt is { } before && _node.Options.TimeProvider.GetElapsedTime(before) < AskingPause)
        )
        {
            return false;
        }

        _askedAgainAt = _node.Options.TimeProvider.GetTimestamp();
        WriteHeader(output);
        return true;
    }

    /// <summary>Tells a peer that it has fallen behind what is kept, if it understands that.</summary>
    private bool TellHorizon(ArrayBufferWriter<byte> output)
    {
        if (!Sends || PeerHeader?.Horizon is null || _node.HorizonUnderLock is not { } horizon)
        {
            return false;
        }

        var behind = false;
        foreach (var (source, timestamp) in horizon)
        {
            behind |= timestamp > _peerClock[source] && timestamp > _toldHorizon[source];
        }

        if (behind)
        {
            WriteHeader(output);
        }

        return behind;
    }

    private bool Fill(ArrayBufferWriter<byte> output)
    {
        var start = output.WrittenCount;
        string? source = null;
        byte[] sourceText = [];
        foreach (var update in _node.HistoryFor(_peerClock))
        {
            // Until "SYNC" only what was known when the peer's header arrived, or a busy node would never get there.
            if (update.Arrival > _target)
            {
                continue;
            }

            if (!ReferenceEquals(update.Source, source))
            {
                source = update.Source;
                sourceText = GossipUpdate.SourceText(source);
            }

            _peerClock.Advance(update.Source, update.Timestamp);
            if (update.Change.Length >= LargeBytes)
            {
                _large = update;
                break;
            }

            update.WriteTo(output, sourceText);
            output.Write("\n"u8);
            if (output.WrittenCount - start >= BatchBytes)
            {
                break;
            }
        }

        return output.WrittenCount > start || _large is not null;
    }

    private void NoteSynced()
    {
        if (!_synced && SyncReceived && (SyncSent || !Sends))
        {
            _synced = true;
            Owner?.NoteSynced();
            _node.Notify(this, static (stream, observer) => observer.OnSynced(stream));
        }
    }

    private static JsonElement? ComposeMeta(string? kind, string? scheme, string? sealedFor, JsonElement? meta)
    {
        if (meta is { ValueKind: not JsonValueKind.Object })
        {
            return scheme is null
                ? meta
                : throw new ArgumentException("With signatures that peers must agree on, the meta must be an object.", nameof(meta));
        }

        var composed = meta is { } given ? JsonObject.Create(given)! : [];
        Announce(composed, KindMember, kind);
        Announce(composed, SchemeMember, scheme);
        Announce(composed, SealedForMember, sealedFor);
        return composed.Count == 0 ? meta : JsonSerializer.SerializeToElement(composed, MetaJson.Default.JsonObject);
    }

    private static void Announce(JsonObject meta, string member, string? value)
    {
        if (value is not null)
        {
            meta[member] = value;
        }
    }
}
