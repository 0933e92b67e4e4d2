namespace Lockstep.Gossip;

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
        try
        {
            applied = Apply(update);
        }
        catch (GossipStoreException error)
        {
            Break(error);
            throw;
        }

        _clock.Advance(update.Source, update.Timestamp);
        _store?.SetClock(update.Source, update.Timestamp);
        _dirty = true;
        if (applied && HasObservers)
        {
            _notifications.AddApplied(update);
        }

        if (_heldSources > 0)
        {
            LookAtHeldAgain(update.Source);
        }
    }

    /// <summary>
    /// What was applied is in the file before any stream can see it: streams read under the lock that is still held here.
    /// </summary>
    private void EndBatch()
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        try
        {
            _store?.Commit();
        }
        catch (GossipStoreException error)
        {
            Break(error);
            throw;
        }

        WakeReaders();
    }

    /// <summary>What is in memory is not in the file: nobody may see it, so every stream ends, and nothing more is taken.</summary>
    private void Break(GossipStoreException error)
    {
        _failure = error;
        WakeReaders();
    }

    private void WakeReaders()
    {
        foreach (var session in _sessions)
        {
            session.Wake();
        }

        foreach (var watcher in _watchers)
        {
            watcher.Set();
        }
    }

    private void FinishOutside()
    {
        if (_lookAgain)
        {
            RecheckHeld();
        }

        Deliver();
    }

    private protected GossipNode AdoptClone(GossipNode clone)
    {
        lock (Gate)
        {
            ThrowIfUnusable();
            foreach (var update in History(new GossipClock()))
            {
                clone.Apply(update);
            }

            clone._clock.Replace(_clock);
            clone._horizon = _horizon?.Copy();
            clone._forgotten.Replace(_forgotten);
            clone._family = _family;
            _family.Members.Add(clone);
            NotifyCloneCount();
        }

        Deliver();
        return clone;
    }

    private void LeaveFamily()
    {
        if (_family.Members.Remove(this))
        {
            foreach (var member in _family.Members)
            {
                member.NotifyCloneCount();
            }
        }
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
            GossipNode[] clones = outermost && _family.Members.Count > 1 ? [.. _family.Members.Where(member => member != _node)] : [];
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
