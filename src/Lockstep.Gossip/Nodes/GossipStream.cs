using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// One node's end of one stream to a peer: reads and writes until either side ends it. All members may be called from any thread.
/// </summary>
public sealed class GossipStream : IAsyncDisposable
{
    private const int MostKeptForWriting = 4 * GossipSession.BatchBytes;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);
    private readonly GossipNode _node;
    private readonly Stream _stream;
    private readonly GossipSession _session;
    private readonly PeerBuffer _received;
    private readonly AsyncSignal _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _failure;
    private volatile bool _peerEnded;

    internal GossipStream(GossipNode node, Stream stream, GossipStreamOptions options, PeerBuffer? received)
    {
        _received = received ?? new PeerBuffer();
        _node = node;
        _stream = stream;
        _session = new GossipSession(node, options)
        {
            Owner = this,
            Wake = _wake.Set,
            Fail = Fail,
        };
    }

    /// <summary>
    /// The peer's header; null until it arrives. Its clocks are empty: <see cref="IGossipObserver.OnHeader"/> gets the complete header.
    /// </summary>
    public GossipHeader? Peer => _session.PeerHeader;

    /// <summary>
    /// Completes when both sides have what the other had at the start; faults or is cancelled if the stream ends before that.
    /// </summary>
    public Task Synced => _synced.Task;

    /// <summary>
    /// Completes when the stream has ended at either side's request; faults if it broke (<see cref="IOException"/>) or the peer sent
    /// something that is not a message (<see cref="GossipProtocolException"/>).
    /// </summary>
    public Task Completion => _completion.Task;

    /// <summary>Ends the stream and waits until it has ended. The peer requests what was not written when it reconnects.</summary>
    public async ValueTask DisposeAsync()
    {
        Stop();
        await _completion.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    internal void NoteSynced() => _synced.TrySetResult();

    internal void Start()
    {
        _node.Register(_session);
        _node.Deliver();
        _ = RunAsync();
    }

    private void Fail(Exception error)
    {
        Interlocked.CompareExchange(ref _failure, error, null);
        Stop();
    }

    private void Stop()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended.
        }
    }

    private async Task RunAsync()
    {
        // The caller continues; it need not wait for the first write.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

        using var hello = _session.Options.HelloTimeout is { } wait
            ? _node.Options.TimeProvider.CreateTimer(_ => EndIfSilent(), null, wait, Timeout.InfiniteTimeSpan)
            : null;

        // On a separate thread at first: some streams (standard input) read synchronously whatever method is called.
        var reading = Task.Run(() => GuardAsync(ReadAsync()));
        await GuardAsync(WriteAsync()).ConfigureAwait(false);
        await EndWritingAsync(reading).ConfigureAwait(false);
        Stop();
        if (!_session.Options.LeaveOpen)
        {
            // Also ends a read that ignores its token.
            await GuardAsync(_stream.DisposeAsync().AsTask()).ConfigureAwait(false);
        }

        await WaitShortlyAsync(reading).ConfigureAwait(false);
        _node.Unregister(_session);
        _stop.Dispose();
        Report();
    }

    /// <summary>
    /// A stream that has done its work says so, and gives the peer time to say the same: closing at once could cut off what is on its way
    /// to it.
    /// </summary>
    private async Task EndWritingAsync(Task reading)
    {
        if (_stop.IsCancellationRequested || _peerEnded)
        {
            return;
        }

        try
        {
            switch (_stream)
            {
                case NetworkStream network:
                    network.Socket.Shutdown(SocketShutdown.Send);
                    break;
                case SslStream secure:
                    await secure.ShutdownAsync().ConfigureAwait(false);
                    break;
                case DuplexStream { EndWriting: { } endWriting }:
                    await endWriting(_stop.Token).ConfigureAwait(false);
                    break;
                default:
                    return;
            }

            await WaitShortlyAsync(reading).ConfigureAwait(false);
        }
        catch (Exception error)
            when (error
                    is IOException
                        or SocketException
                        or WebSocketException
                        or ObjectDisposedException
                        or InvalidOperationException
                        or OperationCanceledException
            )
        {
            // The peer is gone.
        }
    }

    /// <summary>Some streams cannot be stopped from reading, which must not keep this one from ending.</summary>
    private async Task WaitShortlyAsync(Task reading)
    {
        try
        {
            await reading.WaitAsync(Farewell, _node.Options.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Whatever it still reads is discarded: the session is unregistered.
        }
    }

    private async Task GuardAsync(Task loop)
    {
        try
        {
            await loop.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Ended from our side.
        }
        catch (Exception error)
        {
            if (!_stop.IsCancellationRequested)
            {
                Fail(error is WebSocketException ? new IOException("The WebSocket broke: " + error.Message, error) : error);
            }
        }
    }

    private void Report()
    {
        if (_failure is null)
        {
            _synced.TrySetCanceled();
            _completion.TrySetResult();
        }
        else
        {
            var failure = _failure;
            _synced.TrySetException(failure);
            _ = _synced.Task.Exception;
            _node.Notify(_session, (stream, observer) => observer.OnStreamFailed(stream!, failure));
            _completion.TrySetException(failure);
            _ = _completion.Task.Exception;
        }

        _node.Deliver();
    }

    private async Task ReadAsync()
    {
        using var buffer = _received;
        var seen = 0;
        while (true)
        {
            var last = buffer.Written[seen..].LastIndexOf((byte)'\n');
            if (last >= 0)
            {
                var whole = seen + last + 1;
                _session.Receive(buffer.Written[..whole]);
                buffer.Drop(whole);
            }

            seen = buffer.Length;
            if (seen > _session.Options.MaxLineBytes)
            {
                throw GossipSession.TooLong(_session.Options.MaxLineBytes);
            }

            var read = await _stream.ReadAsync(buffer.Room(), _stop.Token).ConfigureAwait(false);
            if (read == 0)
            {
                End(buffer.Written);
                return;
            }

            buffer.Advance(read);
            _session.Options.Heard?.Invoke();
        }
    }

    private void End(ReadOnlySpan<byte> rest)
    {
        try
        {
            _session.Receive(rest);
        }
        catch (GossipProtocolException error)
        {
            throw new EndOfStreamException("The stream was cut off in the middle of a line.", error);
        }

        _peerEnded = true;
        _wake.Set();
    }

    private async Task WriteAsync()
    {
        var output = new ArrayBufferWriter<byte>(1024);
        while (true)
        {
            while (_session.Produce(output, out var large))
            {
                if (_session.IsInLine)
                {
                    await WriteLineAsync(output).ConfigureAwait(false);
                }
                else if (output.WrittenCount > 0)
                {
                    await _stream.WriteAsync(output.WrittenMemory, _stop.Token).ConfigureAwait(false);
                }

                output.ResetWrittenCount();
                if (output.Capacity > MostKeptForWriting)
                {
                    output = new ArrayBufferWriter<byte>(1024);
                }

                if (large is not null)
                {
                    await WriteLargeAsync(large).ConfigureAwait(false);
                }
            }

            await _stream.FlushAsync(_stop.Token).ConfigureAwait(false);
            if (_session.Finished || (_peerEnded && !_session.Syncing))
            {
                return;
            }

            await _wake.WaitAsync(_stop.Token).ConfigureAwait(false);
        }
    }

    /// <summary>Writes a line that the session produces piece by piece.</summary>
    private async Task WriteLineAsync(ArrayBufferWriter<byte> output)
    {
        var message = (_stream as DuplexStream)?.BeginMessage?.Invoke();
        var to = message ?? _stream;
        await to.WriteAsync(output.WrittenMemory, _stop.Token).ConfigureAwait(false);
        while (_session.IsInLine)
        {
            output.ResetWrittenCount();
            _session.Produce(output, out _);
            await to.WriteAsync(output.WrittenMemory, _stop.Token).ConfigureAwait(false);
        }

        if (message is not null)
        {
            await message.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Writes an update piece by piece from where it is kept, so that a thousand peers that read it slowly do not have a thousand copies.
    /// </summary>
    private async Task WriteLargeAsync(GossipUpdate update)
    {
        var (before, after) = update.WriteAround();
        var message = (_stream as DuplexStream)?.BeginMessage?.Invoke();
        var to = message ?? _stream;
        await to.WriteAsync(before, _stop.Token).ConfigureAwait(false);
        for (var rest = update.Change; !rest.IsEmpty; )
        {
            var piece = rest[..Math.Min(rest.Length, GossipSession.BatchBytes)];
            await to.WriteAsync(piece, _stop.Token).ConfigureAwait(false);
            rest = rest[piece.Length..];
        }

        await to.WriteAsync(after, _stop.Token).ConfigureAwait(false);
        if (message is not null)
        {
            await message.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Disconnects a peer that does not identify itself.</summary>
    private void EndIfSilent()
    {
        if (_session.PeerHeader is null)
        {
            Fail(new GossipProtocolException($"The peer did not identify itself within {_session.Options.HelloTimeout}."));
        }
    }
}
