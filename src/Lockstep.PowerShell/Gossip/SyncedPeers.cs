using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip;

/// <summary>Knows whether a node is in sync with any peer, whichever of the two connected. Thread-safe.</summary>
internal sealed class SyncedPeers : IGossipObserver, IDisposable
{
    private readonly Lock _gate = new();
    private readonly IDisposable _subscription;
    private TaskCompletionSource _any = Expect();
    private int _count;

    public SyncedPeers(GossipNode node) => _subscription = node.Subscribe(this);

    /// <summary>Completes once the node has synced with a peer and is still connected to it.</summary>
    public Task Any
    {
        get
        {
            lock (_gate)
                return _any.Task;
        }
    }

    public void OnSynced(GossipStream? stream)
    {
        if (stream is null)
            return;

        lock (_gate)
        {
            _count++;
            _any.TrySetResult();
        }

        _ = stream.Completion.ContinueWith(_ => NoteEnded(), TaskScheduler.Default);
    }

    public void Dispose() => _subscription.Dispose();

    private void NoteEnded()
    {
        lock (_gate)
        {
            if (--_count == 0)
                _any = Expect();
        }
    }

    private static TaskCompletionSource Expect() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
