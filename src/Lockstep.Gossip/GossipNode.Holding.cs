namespace Lockstep.Gossip;

public abstract partial class GossipNode
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(1);
    private ITimer? _holdTimer;
    private int _heldSources;
    private bool _lookAgain;

    /// <summary>
    /// Looks again at the updates that were refused because they could not be verified; a <see cref="GossipSecurity"/> that raises
    /// <see cref="GossipSecurity.KeysChanged"/> needs no such call.
    /// </summary>
    public void RetryUnverified()
    {
        lock (Gate)
        {
            foreach (var held in _sessions.SelectMany(session => session.Held.Values).Where(held => held.Due is null))
            {
                held.LookAgain = held.MayAskAgain = _lookAgain = true;
            }
        }

        RecheckHeld();
        Deliver();
    }

    /// <summary>What is held at this moment, a source once, in the order of their ids.</summary>
    public IReadOnlyList<GossipHold> GetHeld()
    {
        lock (Gate)
        {
            return
            [
                .. _sessions
                    .SelectMany(static session => session.Held.Values)
                    .Select(static held => new GossipHold(held.Source, held.Due, held.Updates.Count))
                    .OrderBy(static hold => hold.Source, StringComparer.Ordinal)
                    .ThenByDescending(static hold => hold.Count)
                    .DistinctBy(static hold => hold.Source),
            ];
        }
    }

    private void OnKeysChanged(object? sender, EventArgs e) => RetryUnverified();

    private HeldSource AddHeld(GossipSession from, string source, DateTimeOffset? due)
    {
        var held = new HeldSource(source) { Due = due };
        from.Held.Add(source, held);
        _heldSources++;
        return held;
    }

    private void Hold(GossipSession from, HeldSource held, GossipUpdate update)
    {
        var others = from.Held.Values.Sum(static other => other.Updates.Count);
        if (held.Overflowed || others >= Options.MaxHeldUpdates)
        {
            held.Drop(update);
        }
        else
        {
            held.Updates.Enqueue(update);
        }
    }

    private void LookAtHeldAgain(string source)
    {
        foreach (var session in _sessions)
        {
            if (session.Held.TryGetValue(source, out var held))
            {
                held.LookAgain = _lookAgain = true;
            }
        }
    }

    private void ScheduleHeld()
    {
        DateTimeOffset? next = null;
        foreach (var held in _sessions.SelectMany(static session => session.Held.Values))
        {
            if (held.Due is { } due && (next is null || due < next))
            {
                next = due;
            }
        }

        if (next is null || _disposed)
        {
            return;
        }

        var wait = next.Value - Options.TimeProvider.GetUtcNow();
        // Timers count whole milliseconds: one too many rather than one too few.
        wait =
            wait < TimeSpan.Zero ? TimeSpan.Zero
            : wait > LongestTimer ? LongestTimer
            : wait + TimeSpan.FromMilliseconds(1);
        _holdTimer ??= Options.TimeProvider.CreateTimer(
            static node => ((GossipNode)node!).OnHoldTimer(),
            this,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan
        );
        _holdTimer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private void OnHoldTimer()
    {
        lock (Gate)
        {
            var now = Options.TimeProvider.GetUtcNow();
            foreach (var held in _sessions.SelectMany(static session => session.Held.Values).Where(held => held.Due <= now))
            {
                held.LookAgain = held.MayAskAgain = _lookAgain = true;
            }
        }

        RecheckHeld();
        lock (Gate)
        {
            ScheduleHeld();
        }

        Deliver();
    }

    /// <summary>Looks at every hold that something has changed for, until there is none. Verifies outside the lock.</summary>
    private void RecheckHeld()
    {
        while (TakeNextHeld() is var (session, held, queued))
        {
            var verified = Array.ConvertAll(queued, Verify);
            using (BeginBatch())
            {
                Release(session, held, queued, verified);
                held.Busy = false;
            }
        }
    }

    private (GossipSession Session, HeldSource Held, GossipUpdate[] Queued)? TakeNextHeld()
    {
        lock (Gate)
        {
            if (!_lookAgain || _disposed)
            {
                return null;
            }

            foreach (var session in _sessions)
            {
                foreach (var held in session.Held.Values)
                {
                    if (held.LookAgain && !held.Busy)
                    {
                        held.LookAgain = false;
                        held.Busy = true;
                        return (session, held, held.Updates.ToArray());
                    }
                }
            }

            _lookAgain = false;
            return null;
        }
    }

    private void Release(GossipSession session, HeldSource held, GossipUpdate[] queued, bool[] verified)
    {
        var askAgain = held.MayAskAgain;
        held.MayAskAgain = false;
        if (!session.Held.TryGetValue(held.Source, out var current) || current != held)
        {
            return;
        }

        for (var i = 0; i < queued.Length && held.Updates.TryPeek(out var update) && update == queued[i]; i++)
        {
            if (!_clock.Covers(update))
            {
                held.Due = DueTime(update);
                if (!verified[i] || held.Due is not null)
                {
                    ScheduleHeld();
                    return;
                }

                NoteGap(session, update);
                held.Updates.Dequeue();
                Commit(update);
                continue;
            }

            held.Updates.Dequeue();
        }

        if (held.Updates.Count > 0)
        {
            // More came while these were verified.
            held.LookAgain = _lookAgain = true;
        }
        else if (!held.Overflowed || _clock[held.Source] >= held.LastDropped)
        {
            session.Held.Remove(held.Source);
            _heldSources--;
        }
        else if (askAgain)
        {
            held.Due = null;
            session.Fail(
                new GossipException(
                    $"Updates of '{held.Source}' that were held are due now and were too many to keep.",
                    "Connect again, as a connector does by itself: they are asked for again."
                )
            );
        }
    }
}
