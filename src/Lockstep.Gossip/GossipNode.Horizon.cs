namespace Lockstep.Gossip;

public abstract partial class GossipNode
{
    /// <summary>For each source up to where this node cannot tell its history; null for a data type that forgets nothing.</summary>
    private GossipClock? _horizon;

    /// <summary>What was forgotten here, for those who read the history here.</summary>
    private readonly GossipClock _forgotten = new();

    /// <summary>Where peers had forgotten updates that this node, in this process, had not got.</summary>
    private readonly GossipClock _gaps = new();

    /// <summary>
    /// For each source of which updates are missing here for good, because the peers had forgotten them: up to where. Of those that were
    /// found in this process.
    /// </summary>
    public GossipClock GetGaps()
    {
        lock (Gate)
        {
            return _gaps.Copy();
        }
    }

    /// <summary>
    /// A copy of the horizon: for each source up to where this node has forgotten its updates, or never got them. Null for a data type that
    /// forgets nothing.
    /// </summary>
    public GossipClock? GetHorizon()
    {
        lock (Gate)
        {
            return _horizon?.Copy();
        }
    }

    internal GossipClock? HorizonUnderLock => _horizon;

    /// <summary>
    /// Says that this data type forgets, so that its streams tell their peers how far back it goes. Call it in the constructor.
    /// </summary>
    private protected void DeclareHorizon() => _horizon ??= new GossipClock();

    /// <summary>The oldest update that is kept. Under the lock.</summary>
    private protected GossipUpdate? OldestKept() => _history.Oldest();

    private protected int KeptCount => _history.Count;

    /// <summary>Drops the oldest update for good, and moves the horizon.</summary>
    private protected void Forget(GossipUpdate update)
    {
        Drop(update);
        _forgotten.Advance(update.Source, update.Timestamp);
        MoveHorizon(update.Source, update.Timestamp);
    }

    private void MoveHorizon(string source, double timestamp)
    {
        _horizon!.Advance(source, timestamp);
        _store?.SetHorizon(source, _horizon[source]);
        _dirty = true;
    }

    /// <summary>
    /// Called before an update is applied: if the peer has forgotten what comes between it and the clock, that is missing here from now on,
    /// and this node says so to others.
    /// </summary>
    private void NoteGap(GossipSession from, GossipUpdate update)
    {
        if (_horizon is null || from.PeerHeader?.Horizon is not { } theirs)
        {
            return;
        }

        var known = _clock[update.Source];
        var horizon = theirs[update.Source];
        if (horizon > known && horizon < update.Timestamp)
        {
            MoveHorizon(update.Source, horizon);
            _gaps.Advance(update.Source, horizon);
            Notify(observer => observer.OnGap(update.Source, known, horizon));
        }
    }
}
