using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Lockstep.Serving.Hosting;

namespace Lockstep.Serving.Tests;

/// <summary>The memory of what is being sent belongs to nobody else.</summary>
public sealed class SocketPipeWriterTests
{
    private const int Size = 16 << 20;

    [Fact]
    public async Task What_is_being_sent_when_the_connection_completes_is_not_memory_of_the_next_one()
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!, deadline.Token);
        using var server = await listener.AcceptAsync(deadline.Token);
        var writer = new SocketPipeWriter(server);
        writer.GetSpan(Size)[..Size].Fill((byte)'a');
        writer.Advance(Size);
        var flush = writer.FlushAsync(deadline.Token);
        Assert.False(flush.IsCompleted);

        writer.Complete();
        for (var i = 0; i < 8; i++)
            ArrayPool<byte>.Shared.Rent(Size).AsSpan().Fill((byte)'b');
        var received = new byte[64 * 1024];
        for (var (all, read) = (0, 1); all < Size && read > 0; all += read)
        {
            read = await client.ReceiveAsync(received, deadline.Token);
            Assert.False(received.AsSpan(0, read).Contains((byte)'b'));
            if (flush.IsCompleted)
                server.Close();
        }

        await flush;
    }
}
