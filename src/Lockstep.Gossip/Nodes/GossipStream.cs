using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

/// <summary>
/// One node's end of one stream to a peer: reads and writes until either side ends it. All members may be called from any thread.
/// </summary>
public sealed class GossipStream : IAsyncDisposable
{
    /// <summary>How many bytes the unfinished lines of all streams of the process may take up together.</summary>
    internal const long MaxUnfinishedBytes = 256L << 20;

    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);
    private static long s_unfinished;
    private readonly GossipNode _node;
    private readonly Stream _stream;
    private readonly GossipSession _session;
    private readonly ReadOnlyMemory<byte> _received;
    private readonly AsyncSignal _wake = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _failure;
    private volatile bool _peerEnded;

    internal GossipStream(GossipNode node, Stream stream, GossipStreamOptions options, ReadOnlyMemory<byte> received)
    {
        _received = received;
        _node = node;
        _stream = stream;
        _session = new GossipSession(node, options)
        {
            Owner = this,
            Wake = _wake.Set,
            Fail = Fail,
        };
    }

    /// <summary>What the peer said first, or null before it did.</summary>
    public GossipHeader? Peer => _session.PeerHeader;

    /// <summary>
    /// Completes when both sides have what the other had at the beginning; faults or is cancelled when the stream ends before.
    /// </summary>
    public Task Synced => _synced.Task;

    /// <summary>
    /// Completes when the stream has ended by either side's wish; faults when it broke (<see cref="IOException"/>) or the peer sent what is
    /// no message (<see cref="GossipProtocolException"/>).
    /// </summary>
    public Task Completion => _completion.Task;

    /// <summary>Ends the stream and waits until it has ended. What was not written yet, the peer asks for when it comes again.</summary>
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
        // The caller goes on; what it does next need not wait for the first write.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

        // On a thread of its own to begin with: some streams (standard input) read synchronously whatever they are asked.
        var reading = Task.Run(() => GuardAsync(ReadAsync()));
        await GuardAsync(WriteAsync()).ConfigureAwait(false);
        await EndWritingAsync(reading).ConfigureAwait(false);
        Stop();
        if (!_session.Options.LeaveOpen)
        {
            // Also ends a read that does not heed its token.
            await GuardAsync(_stream.DisposeAsync().AsTask()).ConfigureAwait(false);
        }

        await WaitShortlyAsync(reading).ConfigureAwait(false);
        _node.Unregister(_session);
        _stop.Dispose();
        Report();
    }

    /// <summary>
    /// A stream that did its work says so, and gives the peer time to say the same: closing at once could cut off what is under way to it.
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

    /// <summary>Some streams go on reading whatever one does; that must not keep this one from ending.</summary>
    private async Task WaitShortlyAsync(Task reading)
    {
        try
        {
            await reading.WaitAsync(Farewell, _node.Options.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // What it still reads goes nowhere: the session is unregistered.
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
            // Ended from this side.
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
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(GossipSession.BatchBytes, _received.Length));
        var unfinished = 0;
        try
        {
            _received.CopyTo(buffer);
            var read = _received.Length;
            var length = 0;
            while (true)
            {
                if (length == buffer.Length)
                {
                    buffer = Grow(buffer, ref unfinished);
                }

                if (read == 0)
                {
                    read = await _stream.ReadAsync(buffer.AsMemory(length), _stop.Token).ConfigureAwait(false);
                }

                if (read == 0)
                {
                    End(buffer.AsSpan(0, length));
                    return;
                }

                var last = buffer.AsSpan(length, read).LastIndexOf((byte)'\n');
                length += read;
                if (last >= 0)
                {
                    var whole = length - read + last + 1;
                    _session.Receive(buffer.AsSpan(0, whole));
                    length -= whole;
                    buffer.AsSpan(whole, length).CopyTo(buffer);
                }

                if (length > _session.Options.MaxLineBytes)
                {
                    throw GossipSession.TooLong(_session.Options.MaxLineBytes);
                }

                read = 0;
            }
        }
        finally
        {
            Interlocked.Add(ref s_unfinished, -unfinished);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] buffer, ref int unfinished)
    {
        // Counted for all streams: a hundred peers that begin a long line and never end it must not fill the memory.
        unfinished += buffer.Length;
        if (Interlocked.Add(ref s_unfinished, buffer.Length) > MaxUnfinishedBytes)
        {
            throw new GossipProtocolException("The lines that peers have begun and not ended are too long together.");
        }

        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
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
            while (_session.Produce(output))
            {
                await _stream.WriteAsync(output.WrittenMemory, _stop.Token).ConfigureAwait(false);
                output.ResetWrittenCount();
            }

            await _stream.FlushAsync(_stop.Token).ConfigureAwait(false);
            if (_session.Finished || (_peerEnded && !_session.Syncing))
            {
                return;
            }

            await _wake.WaitAsync(_stop.Token).ConfigureAwait(false);
        }
    }
}
