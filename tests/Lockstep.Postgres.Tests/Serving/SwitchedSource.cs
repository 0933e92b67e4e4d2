using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>A source whose database changes, while its address stays.</summary>
internal sealed class SwitchedSource(IFeedSource source) : IFeedSource
{
    private IFeedSource _source = source;
    private bool _isDisposed;
    private int _wholeSets;

    /// <summary>How often a client asked for the whole set.</summary>
    public int WholeSets => Volatile.Read(ref _wholeSets);

    public string Name => _source.Name;

    public async Task ChangeAsync(IFeedSource source)
    {
        var old = _source;
        _source = source;
        await old.DisposeAsync();
    }

    /// <summary>Switches to another one that can be started only once the one before has ended.</summary>
    public async Task ChangeAsync(Func<IFeedSource> start)
    {
        await _source.DisposeAsync();
        _source = start();
    }

    public ValueTask<FeedState> GetStateAsync(CancellationToken cancellationToken) => _source.GetStateAsync(cancellationToken);

    public ValueTask<FeedReading> OpenAsync(FeedRequest request, CancellationToken cancellationToken)
    {
        if (request.Since == 0)
            Interlocked.Increment(ref _wholeSets);
        return _source.OpenAsync(request, cancellationToken);
    }

    public ValueTask<SnapshotPage> ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
        _source.ReadPageAsync(request, cancellationToken);

    public ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return ValueTask.CompletedTask;
        _isDisposed = true;
        return _source.DisposeAsync();
    }
}
