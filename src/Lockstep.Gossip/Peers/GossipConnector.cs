using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Peers;

/// <summary>How a connector behaves.</summary>
public sealed record GossipConnectorOptions
{
    /// <summary>
    /// How to use the stream. If <see cref="GossipStreamOptions.Tail"/> is false, the connector ends after it has synced once.
    /// </summary>
    public GossipStreamOptions Stream { get; init; } = new();

    /// <summary>How to reach the peer.</summary>
    public GossipDialOptions Dial { get; init; } = new();

    /// <summary>The wait before the second attempt; doubled for each further one until one syncs. Default 250 ms.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest wait. Default 30 s.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How many attempts may fail in a row before it gives up; null for any number. A stream that synced before it broke does not count as
    /// failed. Default null.
    /// </summary>
    public int? MaximumRetryCount { get; init; }

    /// <summary>Called for each failed attempt and each broken stream, from any thread.</summary>
    public Action<Exception>? ConnectionFailed { get; init; }
}

/// <summary>
/// Keeps a node connected to a peer: connects, and reconnects whenever the stream ends, until it is disposed. All members may be called
/// from any thread.
/// </summary>
public sealed class GossipConnector : IAsyncDisposable
{
    private readonly GossipNode _node;
    private readonly GossipConnectorOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Task _running;
    private TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _hasSynced;
    private int _failures;

    /// <summary>Starts at once.</summary>
    /// <exception cref="ArgumentException">The URI has no known form.</exception>
    public GossipConnector(GossipNode node, Uri uri, GossipConnectorOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(node);
        GossipDialer.Check(uri);
        _node = node;
        Uri = uri;
        _options = options ?? new GossipConnectorOptions();
        if (GossipDialer.ModelIn(uri) is { } model)
        {
            _options = _options with { Stream = NodeName.Asking(_options.Stream, model) };
        }

        _running = RunAsync();
    }

    /// <summary>The peer's address.</summary>
    public Uri Uri { get; }

    /// <summary>The currently attached stream; null between two.</summary>
    public GossipStream? Current { get; private set; }

    /// <summary>How many times a connection was made.</summary>
    public int Connections { get; private set; }

    /// <summary>Why the last attempt or stream ended, or null if it ended at the peer's request.</summary>
    public Exception? LastError { get; private set; }

    /// <summary>
    /// Completes when there is nothing left to try: disposed, or synced once without tail. Faults with errors that retrying cannot fix:
    /// <see cref="GossipIdentityException"/>, <see cref="GossipKindException"/>, <see cref="GossipSecurityException"/>,
    /// <see cref="GossipStoreException"/>; or with <see cref="GossipUnreachableException"/> when
    /// <see cref="GossipConnectorOptions.MaximumRetryCount"/> is used up.
    /// </summary>
    public Task Completion => _running;

    /// <summary>Waits until the currently attached stream, or else the next one, has synced.</summary>
    public async Task WaitForSyncAsync(CancellationToken cancellationToken = default)
    {
        Task synced;
        lock (_gate)
        {
            synced = _synced.Task;
        }

        var first = await Task.WhenAny(synced, _running).WaitAsync(cancellationToken).ConfigureAwait(false);
        await first.ConfigureAwait(false);
        if (!synced.IsCompleted)
        {
            throw new GossipException("The connector was disposed before it synced.", "Wait before disposing it.");
        }
    }

    /// <summary>Ends the stream and does not reconnect.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task RunAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var delay = _options.FirstDelay;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var synced = await RunOnceAsync().ConfigureAwait(false);
                delay = synced ? _options.FirstDelay : delay;
                if (synced && !_options.Stream.Tail)
                {
                    return;
                }

                if (!synced)
                {
                    CountFailure(null);
                }
            }
            catch (Exception error)
                when (error is OperationCanceledException or ObjectDisposedException && (_stop.IsCancellationRequested || _node.IsDisposed))
            {
                return;
            }
            catch (Exception error)
                when (error
                        is GossipIdentityException
                            or GossipKindException
                            or GossipSecurityException
                            or GossipStoreException
                            or GossipUnreachableException
                )
            {
                LastError = error;
                throw;
            }
            catch (Exception error) when (error is IOException or GossipException or OperationCanceledException)
            {
                LastError = error;
                _options.ConnectionFailed?.Invoke(error);
                CountFailure(error);
            }

            await WaitAsync(delay).ConfigureAwait(false);
            delay = TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, _options.LongestDelay.Ticks));
        }
    }

    /// <summary>Runs one connection to its end; returns whether it synced.</summary>
    private async Task<bool> RunOnceAsync()
    {
        _hasSynced = false;
        var stream = await GossipDialer.ConnectAsync(Uri, _options.Dial, _stop.Token).ConfigureAwait(false);
        var attached = _node.Attach(stream, _options.Stream);
        await using (attached.ConfigureAwait(false))
        {
            Current = attached;
            Connections++;
            try
            {
                await Task.WhenAny(attached.Synced, attached.Completion).WaitAsync(_stop.Token).ConfigureAwait(false);
                if (attached.Synced.IsCompletedSuccessfully)
                {
                    NoteSynced();
                }

                await attached.Completion.WaitAsync(_stop.Token).ConfigureAwait(false);
                LastError = null;
                return attached.Synced.IsCompletedSuccessfully;
            }
            finally
            {
                Current = null;
                ExpectSync();
            }
        }
    }

    private void CountFailure(Exception? error)
    {
        if (!_hasSynced && _failures++ >= _options.MaximumRetryCount)
        {
            throw new GossipUnreachableException(
                error?.Message ?? $"The peer at {Uri.GetLeftPart(UriPartial.Path)} ended the stream before it had synced.",
                error
            );
        }
    }

    private void NoteSynced()
    {
        _hasSynced = true;
        _failures = 0;
        lock (_gate)
        {
            _synced.TrySetResult();
        }
    }

    /// <summary>From now on waiting means waiting for the next stream; a finished connector keeps its result.</summary>
    private void ExpectSync()
    {
        lock (_gate)
        {
            if (_synced.Task.IsCompleted && _options.Stream.Tail)
            {
                _synced = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage(
        "Security",
        "CA5394",
        Justification = "Spreads attempts over time; nothing secret comes of it."
    )]
    private async Task WaitAsync(TimeSpan delay)
    {
        // A fifth more or less, so that nodes that lost the same peer do not all reconnect at once.
        var spread = delay * (0.8 + (Random.Shared.NextDouble() * 0.4));
        await Task.Delay(spread, _node.Options.TimeProvider, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
