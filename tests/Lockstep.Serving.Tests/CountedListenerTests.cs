using System.Net;
using System.Net.Sockets;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>Connections are counted as they are accepted, and until they are closed.</summary>
public sealed class CountedListenerTests : IAsyncLifetime
{
    private readonly Socket _listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ManualTimeProvider _clock = new();
    private readonly List<Socket> _clients = [];
    private readonly ConnectionCount _count = new(new ConnectionLimits { Most = 1 });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listening.Listen(128);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        _listening.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_rush_beyond_the_places_is_reset_before_anything_was_done_for_those_within()
    {
        await using var listener = new CountedListener(_listening, _listening.AcceptAsync, _count, _clock);
        for (var i = 0; i < 1 + ConnectionLimits.Spare + 3; i++)
            await ConnectAsync();

        var within = new List<CountedConnection>();
        while (within.Count < 1 + ConnectionLimits.Spare)
            within.Add(await AcceptAsync(listener));
        var next = AcceptAsync(listener);

        foreach (var client in _clients[within.Count..])
            await Assert.ThrowsAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Cancel));
        Assert.Equal([false, .. Enumerable.Repeat(true, ConnectionLimits.Spare)], within.Select(connection => connection.IsExcess));
        Assert.False(next.IsCompleted);

        await within[0].DisposeAsync();
        await ConnectAsync();
        await using (var late = await next)
            Assert.True(late.IsExcess);
        foreach (var connection in within)
            await connection.DisposeAsync();
        await ConnectAsync();
        await using (var alone = await AcceptAsync(listener))
            Assert.False(alone.IsExcess);
        await listener.UnbindAsync(Cancel);
    }

    [Theory]
    [InlineData(SocketError.TooManyOpenSockets)]
    [InlineData(SocketError.NoBufferSpaceAvailable)]
    public async Task Where_no_file_is_left_accepting_rests_and_goes_on(SocketError error)
    {
        var attempts = 0;
        await using var listener = new CountedListener(
            _listening,
            () => ++attempts == 1 ? Fails(error) : _listening.AcceptAsync(),
            _count,
            _clock
        );
        await ConnectAsync();
        var next = AcceptAsync(listener);
        Assert.Equal(1, attempts);
        Assert.Equal(_clock.GetUtcNow() + CountedListener.Rest, _clock.NextDue);

        _clock.Advance(CountedListener.Rest);

        await using (var connection = await next)
            Assert.False(connection.IsExcess);
        await listener.UnbindAsync(Cancel);
    }

    [Fact]
    public async Task A_client_that_has_gone_before_it_was_accepted_is_passed_over_at_once()
    {
        var attempts = 0;
        await using var listener = new CountedListener(
            _listening,
            () => ++attempts == 1 ? Fails(SocketError.ConnectionAborted) : _listening.AcceptAsync(),
            _count,
            _clock
        );
        await ConnectAsync();

        await using (var connection = await AcceptAsync(listener))
            Assert.False(connection.IsExcess);
        await listener.UnbindAsync(Cancel);
    }

    [Fact]
    public async Task Who_stops_listening_waits_for_no_rest()
    {
        await using var listener = new CountedListener(_listening, () => Fails(SocketError.TooManyOpenSockets), _count, _clock);
        var next = listener.AcceptAsync(Cancel).AsTask();

        await listener.UnbindAsync(Cancel);

        Assert.Null(await next.WaitAsync(Eventually.Deadline, Cancel));
    }

    private static Task<Socket> Fails(SocketError error) => Task.FromException<Socket>(new SocketException((int)error));

    private static async Task<CountedConnection> AcceptAsync(CountedListener listener) =>
        Assert.IsType<CountedConnection>(await listener.AcceptAsync(Cancel));

    private async Task ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        await client.ConnectAsync(_listening.LocalEndPoint!, Cancel);
    }
}
