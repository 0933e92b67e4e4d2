using Lockstep.Engine;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// A source that may not exist yet: starting it is retried until it succeeds, and until then clients are asked to retry. Thread-safe.
/// </summary>
public sealed class LateSource : IFeedSource
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<CancellationToken, Task<IFeedSource>> _start;
    private readonly TimeProvider _time;
    private readonly Task _starting;
    private volatile IFeedSource? _source;
    private volatile Exception? _error;

    /// <summary>Starts it in the background.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="start">Starts it; called again after a failure.</param>
    /// <param name="time">The clock; null for the system's.</param>
    public LateSource(string name, Func<CancellationToken, Task<IFeedSource>> start, TimeProvider? time = null)
    {
        (Name, _start, _time) = (name, start, time ?? TimeProvider.System);
        _starting = Task.Run(StartAsync);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public TimeSpan Lag => _source?.Lag ?? TimeSpan.Zero;

    /// <inheritdoc/>
    public LeftOutRows LeftOut => _source?.LeftOut ?? LeftOutRows.None;

    /// <summary>Why the last attempt to start it failed; null if it succeeded, or there has been none.</summary>
    public Exception? Error => _error;

    /// <summary>Whether the first attempt is still in progress.</summary>
    public bool IsStarting => _source is null && _error is null;

    ValueTask<FeedState> IFeedSource.GetStateAsync(CancellationToken cancellationToken) => Started.GetStateAsync(cancellationToken);

    /// <inheritdoc/>
    public async Task CheckAsync(CancellationToken cancellationToken) => await Started.CheckAsync(cancellationToken).ConfigureAwait(false);

    ValueTask<FeedReading> IFeedSource.OpenAsync(FeedRequest request, CancellationToken cancellationToken) =>
        Started.OpenAsync(request, cancellationToken);

    ValueTask<SnapshotPage> IFeedSource.ReadPageAsync(SnapshotPageRequest request, CancellationToken cancellationToken) =>
        Started.ReadPageAsync(request, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _starting.ConfigureAwait(false);
        if (_source is { } source)
            await source.DisposeAsync().ConfigureAwait(false);
    }

    private IFeedSource Started =>
        _source ?? throw new FeedUnavailableException(_error?.Message ?? $"'{Name}' is being started.", RetryAfter, _error);

    private async Task StartAsync()
    {
        for (var pause = TimeSpan.FromMilliseconds(100); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                _source = await _start(_stop.Token).ConfigureAwait(false);
                _error = null;
                return;
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (LockstepException e)
            {
                _error = e;
            }

            try
            {
                await Task.Delay(pause, _time, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
