using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Tests;

/// <summary>Records every call, as a short sentence and with its argument.</summary>
internal sealed class RecordingObserver : IGossipObserver
{
    public List<GossipHeader> Headers { get; } = [];

    public List<GossipUpdate> Updates { get; } = [];

    public List<GossipUpdate> Old { get; } = [];

    public List<GossipUpdate> Unverified { get; } = [];

    public List<(GossipUpdate Update, DateTimeOffset Due)> Held { get; } = [];

    public List<(string Source, double From, double Horizon)> Gaps { get; } = [];

    public List<GossipMissing> Missing { get; } = [];

    public List<GossipUpdate> Misfits { get; } = [];

    public List<string> Ignored { get; } = [];

    public List<GossipUpdate> Refused { get; } = [];

    public List<int> StreamCounts { get; } = [];

    public List<int> CloneCounts { get; } = [];

    public int Synced { get; private set; }

    public void OnHeader(GossipStream? stream, GossipHeader header) => Headers.Add(header);

    public void OnSynced(GossipStream? stream) => Synced++;

    public void OnUpdate(GossipUpdate update) => Updates.Add(update);

    public void OnOldData(GossipUpdate update) => Old.Add(update);

    public void OnMisfit(GossipUpdate update) => Misfits.Add(update);

    public void OnIgnored(GossipStream? stream, string what) => Ignored.Add(what);

    public void OnRefused(GossipUpdate update) => Refused.Add(update);

    public void OnUnverified(GossipUpdate update) => Unverified.Add(update);

    public void OnHeld(GossipUpdate update, DateTimeOffset due) => Held.Add((update, due));

    public void OnGap(string source, double from, double horizon) => Gaps.Add((source, from, horizon));

    public void OnMissing(GossipMissing missing) => Missing.Add(missing);

    public void OnStreamCount(int count) => StreamCounts.Add(count);

    public void OnCloneCount(int count) => CloneCounts.Add(count);
}
