using Lockstep.Engine.Sync;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The states of a sync: every transition that exists, and no other.</summary>
public sealed class SyncStateTests
{
    private static readonly Dictionary<(SyncPhase From, SyncTrigger By), SyncPhase> Expected = new()
    {
        [(SyncPhase.Connecting, SyncTrigger.Connected)] = SyncPhase.Live,
        [(SyncPhase.Connecting, SyncTrigger.SnapshotBegan)] = SyncPhase.Snapshot,
        [(SyncPhase.Connecting, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Connecting, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Connecting, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Snapshot, SyncTrigger.SnapshotCompleted)] = SyncPhase.Live,
        [(SyncPhase.Snapshot, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Snapshot, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Snapshot, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Live, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Live, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Live, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.Snapshot, SyncTrigger.Rested)] = SyncPhase.Waiting,
        [(SyncPhase.Live, SyncTrigger.Rested)] = SyncPhase.Waiting,
        [(SyncPhase.Waiting, SyncTrigger.WaitElapsed)] = SyncPhase.Connecting,
        [(SyncPhase.Waiting, SyncTrigger.Interrupted)] = SyncPhase.BackingOff,
        [(SyncPhase.Waiting, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.Waiting, SyncTrigger.GaveUp)] = SyncPhase.Failed,
        [(SyncPhase.BackingOff, SyncTrigger.WaitElapsed)] = SyncPhase.Connecting,
        [(SyncPhase.BackingOff, SyncTrigger.Finished)] = SyncPhase.Ended,
        [(SyncPhase.BackingOff, SyncTrigger.GaveUp)] = SyncPhase.Failed,
    };

    [Fact]
    public void The_transition_table_is_exactly_this()
    {
        foreach (var phase in Enum.GetValues<SyncPhase>())
        {
            foreach (var trigger in Enum.GetValues<SyncTrigger>())
            {
                var state = new SyncState(phase, 3);
                if (Expected.TryGetValue((phase, trigger), out var next))
                {
                    Assert.True(state.Allows(trigger));
                    Assert.Equal(next, state.Next(trigger).Phase);
                }
                else
                {
                    Assert.False(state.Allows(trigger));
                    Assert.Throws<InvalidOperationException>(() => state.Next(trigger));
                }
            }
        }
    }

    [Fact]
    public void Final_states_lead_nowhere_and_every_state_can_be_reached()
    {
        Assert.Equal([SyncPhase.Ended, SyncPhase.Failed], Enum.GetValues<SyncPhase>().Where(p => new SyncState(p, 0).IsFinal));
        Assert.Equal(Enum.GetValues<SyncPhase>(), Expected.Values.Append(SyncState.Initial.Phase).Distinct().Order());
    }

    [Fact]
    public void Attempts_are_counted_until_one_goes_well()
    {
        var state = SyncState.Initial.Next(SyncTrigger.Interrupted).Next(SyncTrigger.WaitElapsed).Next(SyncTrigger.Interrupted);

        Assert.Equal(2, state.Attempt);
        Assert.Equal(0, state.Next(SyncTrigger.WaitElapsed).Next(SyncTrigger.Connected).Attempt);
    }
}
