using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Models;
using Lockstep.Pipeline;

namespace Lockstep.Gossip;

/// <summary>Warns of events that this node will never get: its peers had forgotten them when it connected. Pipeline thread only.</summary>
/// <param name="cmdlet">Writes the warnings.</param>
/// <param name="events">The events being read.</param>
internal sealed class EventGaps(LockstepCmdlet cmdlet, LockstepEmitter events)
{
    private GossipClock? _told;

    /// <summary>Warns of gaps that have not been reported yet.</summary>
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
