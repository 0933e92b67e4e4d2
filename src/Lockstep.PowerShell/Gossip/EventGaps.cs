using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Pipeline;

namespace Lockstep.Gossip;

/// <summary>Warns of events that this node will never get: its peers had forgotten them when it came. Pipeline thread only.</summary>
/// <param name="cmdlet">Who warns.</param>
/// <param name="events">Whose events are read.</param>
internal sealed class EventGaps(LockstepCmdlet cmdlet, LockstepEmitter events)
{
    private GossipClock? _told;

    /// <summary>Warns of what has not been reported yet.</summary>
    public void Warn()
    {
        var gaps = events.GetGaps();
        foreach (var (source, until) in gaps)
        {
            if (_told is null || until > _told[source])
            {
                cmdlet.WriteWarning(
                    $"Events of '{source}' up to {DateTimeOffset.UnixEpoch.AddMilliseconds(until).LocalDateTime:G} are "
                        + $"missing here: the peers had forgotten them."
                );
            }
        }

        _told = gaps;
    }
}
