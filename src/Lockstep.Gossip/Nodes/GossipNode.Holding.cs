using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Security;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly HoldBook<GossipSession> _holds;
    private DateTimeOffset? _nextHeld;
    private bool _rechecking;
    private readonly DueTimer _holdTimer;

    /// <summary>
    /// Checks again the updates that were refused because they could not be verified; unnecessary with a <see cref="GossipSecurity"/> that
    /// raises <see cref="GossipSecurity.KeysChanged"/>.
    /// </summary>
    public void RetryUnverified()
    {
        lock (Gate)
        {
            _holds.NoteKeys();
        }

        RecheckHeld();
        Deliver();
    }

    /// <summary>What is currently held, each source once, in order of id.</summary>
    public IReadOnlyList<GossipHold> GetHeld()
    {
        lock (Gate)
        {
            return _holds.List();
        }
    }

    private void OnKeysChanged(object? sender, EventArgs e) => RetryUnverified();

    private void OnHoldTimer()
    {
        lock (Gate)
        {
            _holds.NoteTime(Options.TimeProvider.GetUtcNow());
        }

        RecheckHeld();
        Deliver();
    }

    private void ScheduleHeld()
    {
        _nextHeld = null;
        if (_holds.NextDue is { } due)
        {
            ScheduleHeld(due);
        }
    }

    /// <summary>Another update is held; the others need not be checked.</summary>
    private void ScheduleHeld(DateTimeOffset due)
    {
        if (!_disposed && !(due >= _nextHeld))
        {
            _nextHeld = due;
            _holdTimer.Set(due);
        }
    }

    /// <summary>
    /// Checks every hold affected by a change, until there is none. Verifies outside the lock. One thread does it at a time, and not
    /// recursively: it also finds what changes meanwhile.
    /// </summary>
    private void RecheckHeld()
    {
        lock (Gate)
        {
            if (_rechecking)
            {
                return;
            }

            _rechecking = true;
        }

        try
        {
            while (TakeNextHeld() is { } ticket)
            {
                var verified = Array.ConvertAll(ticket.Updates, Verify);
                using (BeginBatch())
                {
                    if (_holds.Release(ticket, verified, _clock, _future.DueTime, CommitFrom))
                    {
                        ticket.Stream.Fail(
                            new GossipException(
                                $"Updates of '{ticket.Held.Source}' that were held are due now and were too many to keep.",
                                "Connect again, as a connector does by itself: they are requested again."
                            )
                        );
                    }
                }
            }
        }
        catch
        {
            lock (Gate)
            {
                _rechecking = false;
            }

            throw;
        }
    }

    private HoldTicket<GossipSession>? TakeNextHeld()
    {
        lock (Gate)
        {
            var ticket = _disposed ? null : _holds.TakeNext();
            if (ticket is null)
            {
                _rechecking = false;
                ScheduleHeld();
            }

            return ticket;
        }
    }
}
