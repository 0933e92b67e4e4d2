using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Requests;

/// <summary>A request that is being answered, and the way to end it early.</summary>
internal sealed class OpenRequest(CancellationToken aborted, CancellationToken stopping) : IDisposable
{
    private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(aborted, stopping);
    private readonly Lock _gate = new();
    private bool _disposed;

    /// <summary>Signalled when the client is gone, the server stops, or the request was closed.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>How it was closed; null when it was not.</summary>
    public CutKind? Closed { get; private set; }

    public void Close(CutKind how)
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            Closed = how;
        }
        _ = _ended.CancelAsync();
    }

    public void Dispose()
    {
        lock (_gate)
            _disposed = true;
        _ended.Dispose();
    }
}
