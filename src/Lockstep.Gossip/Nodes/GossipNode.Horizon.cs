using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    /// <summary>For each source, up to where this node does not know its history; null for a data type that forgets nothing.</summary>
    private GossipClock? _horizon;

    private EventRetention? _retention;

    /// <summary>What was forgotten here, for readers of this node's history.</summary>
    private readonly GossipClock _forgotten;

    /// <summary>Where peers had forgotten updates that this node, in this process, had not received.</summary>
    private readonly GossipClock _gaps;

    /// <summary>
    /// For each source with updates that are permanently missing here because the peers had forgotten them: up to where. Only those found
    /// by this process.
    /// </summary>
    public GossipClock GetGaps()
    {
        lock (Gate)
        {
            return _gaps.Copy();
        }
    }

    /// <summary>
    /// A copy of the horizon: for each source, up to where this node has forgotten its updates, or never got them. Null for a data type
    /// that forgets nothing.
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
    /// Limits what the node keeps: anything older is forgotten, and its streams tell their peers how far back it goes. A derived type calls
    /// it in its constructor, before <see cref="OpenFile"/>.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It would keep nothing.</exception>
    protected void Retain(EventRetention retention)
    {
        ArgumentNullException.ThrowIfNull(retention);
        ArgumentOutOfRangeException.ThrowIfLessThan(retention.MaxEvents ?? 1, 1, nameof(retention));
        _retention = retention;
        _horizon ??= new GossipClock(_sources);
    }

    /// <summary>
    /// Called when <see cref="Retain"/> has made the node forget an update, so that a data type may undo its effect. Under the lock.
    /// </summary>
    protected virtual void OnForgotten(GossipUpdate update) { }

    private void TakeHorizon(GossipClock? horizon, GossipClock forgotten)
    {
        _horizon = horizon is null ? null : new GossipClock(_sources);
        _horizon?.Advance(horizon!);
        _forgotten.Clear();
        _forgotten.Advance(forgotten);
    }

    /// <summary>Forgets what the retention excludes.</summary>
    private void Shorten()
    {
        while (_retention?.MaxEvents is { } most && _history.Count > most)
        {
            Forget(_history.Oldest()!);
        }

        if (_retention?.MaxAge is { } age)
        {
            var limit = (Options.TimeProvider.GetUtcNow() - age - DateTimeOffset.UnixEpoch).TotalMilliseconds;
            while (_history.Oldest() is { } oldest && oldest.Timestamp < limit)
            {
                Forget(oldest);
            }
        }
    }

    /// <summary>Drops the oldest update permanently, and moves the horizon.</summary>
    private void Forget(GossipUpdate update)
    {
        Drop(update);
        _forgotten.Advance(update.Source, update.Timestamp);
        MoveHorizon(update.Source, update.Timestamp);
        if (update.Misfit is null)
        {
            OnForgotten(update);
        }
        else
        {
            _misfits--;
        }
    }

    private void MoveHorizon(string source, double timestamp)
    {
        _horizon!.Advance(source, timestamp);
        _file.SetHorizon(source, _horizon[source]);
        _dirty = true;
    }

    /// <summary>
    /// Called before an update is applied: if the peer has forgotten what is between it and the clock, that is now missing here too, and
    /// this node tells others.
    /// </summary>
    private void NoteGap(GossipSession from, GossipUpdate update)
    {
        if (_horizon is null || from.PeerHorizon is not { } theirs)
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
