using Lockstep.Gossip.Clock;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private BatchScope BeginBatch() => new(this);

    /// <summary>Applies an update here and in the clones. Under the lock; clock and state change together.</summary>
    private void Commit(GossipUpdate update)
    {
        foreach (var member in _family.Members)
        {
            member.CommitHere(update);
        }
    }

    private void CommitHere(GossipUpdate update)
    {
        bool applied;
        var before = _clock[update.Source];
        try
        {
            applied = TakeIn(update);
            if (update == _family.BeingSealed)
            {
                Shorten();
                Seal(update);
            }

            _clock.Advance(update.Source, update.Timestamp);
            _file.SetClock(update.Source, Math.Max(update.Timestamp, before));
            NoteNumber(update, before);
            _dirty = true;
            Shorten();
        }
        catch (GossipStoreException)
        {
            WakeReaders();
            throw;
        }

        if (applied && _notifications.Any)
        {
            _notifications.AddApplied(update);
        }

        if (!_holds.IsEmpty)
        {
            _holds.NoteAdvance(update.Source);
        }
    }

    /// <summary>
    /// Applies an update, or keeps it unapplied if its change does not fit the data type. Returns whether it had an effect.
    /// </summary>
    private bool TakeIn(GossipUpdate update)
    {
        if (update.Misfit is null)
        {
            return Apply(update);
        }

        KeepMisfit(update);
        return false;
    }

    // Separate, so that ordinary updates do not pay for reporting the few that do not fit.
    private void KeepMisfit(GossipUpdate update)
    {
        Keep(update);
        _misfits++;
        Notify(observer => observer.OnMisfit(update));
    }

    /// <summary>
    /// Commits what was applied to the file before any stream can see it: streams read under the lock that is still held here.
    /// </summary>
    private void EndBatch()
    {
        foreach (var part in Parts)
        {
            part.EndBatch();
        }

        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        try
        {
            _file.Commit();
        }
        finally
        {
            // Even after a failure: what is in memory is not in the file, so nobody may see it, and every stream ends.
            WakeReaders();
        }
    }

    private void WakeReaders()
    {
        foreach (var session in _sessions)
        {
            session.Wake();
        }

        _watchers.Wake();
    }

    private void FinishOutside()
    {
        if (_holds.MustLook)
        {
            RecheckHeld();
        }

        Deliver();
        foreach (var part in Parts)
        {
            part.FinishOutside();
        }
    }

    /// <summary>
    /// The options for a node that <see cref="AdoptClone{TNode}"/> turns into a clone of this one: the same id, and no file.
    /// </summary>
    protected GossipNodeOptions CloneOptions => Options with { Path = null, Id = Id };

    /// <summary>
    /// Turns a new node of the same type into a clone of this one: it gets everything kept here, and from then on each update of either is
    /// applied to both under one lock. Each may have its own streams, and is disposed separately.
    /// </summary>
    /// <param name="clone">A node just created with <see cref="CloneOptions"/>.</param>
    /// <returns>The clone.</returns>
    /// <exception cref="ArgumentException">The clone has another id, has a file, or is already in use.</exception>
    protected TNode AdoptClone<TNode>(TNode clone)
        where TNode : GossipNode
    {
        ArgumentNullException.ThrowIfNull(clone);
        if (clone.Id != Id || clone.Options.Path is not null || clone.HistoryCount > 0 || clone.StreamCount > 0)
        {
            throw new ArgumentException("A clone is a new node that was made with the clone options.", nameof(clone));
        }

        lock (Gate)
        {
            ThrowIfUnusable();
            foreach (var update in History(new GossipClock()))
            {
                clone.TakeIn(update);
            }

            clone._clock.Clear();
            clone._clock.Advance(_clock);
            clone._counts.Replace(_counts);
            clone.TakeHorizon(_horizon, _forgotten);
            clone._family = _family;
            _family.Members.Add(clone);
            NotifyCloneCount();
        }

        Deliver();
        return clone;
    }

    /// <summary>Separates the clones; returns them, to be notified outside the lock.</summary>
    private GossipNode[] LeaveFamily()
    {
        if (!_family.Members.Remove(this))
        {
            return []; // a part of one of them
        }

        foreach (var member in _family.Members)
        {
            member.NotifyCloneCount();
        }

        return [.. _family.Members];
    }

    private void NotifyCloneCount()
    {
        var count = _family.Members.Count - 1;
        Notify(observer => observer.OnCloneCount(count));
    }

    private sealed class BatchScope : IDisposable
    {
        private readonly GossipNode _node;
        private readonly GossipFamily _family;

        public BatchScope(GossipNode node)
        {
            _node = node;
            _family = node._family;
            _family.Gate.Enter();
            _family.Depth++;
        }

        public void Dispose()
        {
            var outermost = _family.Depth == 1;
            var alone = _family.Members.Count == 1 && _family.Members[0] == _node;
            GossipNode[] clones = outermost && !alone ? [.. _family.Members.Where(member => member != _node)] : [];
            try
            {
                if (outermost)
                {
                    _node.EndBatch();
                    Array.ForEach(clones, static clone => clone.EndBatch());
                }
            }
            finally
            {
                _family.Depth--;
                _family.Gate.Exit();
            }

            if (outermost)
            {
                _node.FinishOutside();
                Array.ForEach(clones, static clone => clone.FinishOutside());
            }
        }
    }
}
