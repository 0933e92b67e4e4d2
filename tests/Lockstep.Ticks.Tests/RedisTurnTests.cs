using Lockstep.Redis;
using Lockstep.Testing;
using StackExchange.Redis;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// How writers of one variable in Redis take turns. The test plays writers of other processes by what they would have in the store: a place
/// in the variable's queue, and until when they count as waiting.
/// </summary>
public sealed class RedisTurnTests(SharedRedis redis) : IClassFixture<SharedRedis>, IAsyncLifetime
{
    private readonly string _prefix = $"turns-{Guid.NewGuid():N}";
    private ConnectionMultiplexer _connection = null!;
    private RedisTickStore _store = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IDatabase Server => _connection.GetDatabase();

    private RedisKey Waiting => $"{{{_prefix}}}:waiting";

    private RedisKey Queue => $"{{{_prefix}}}:queue:x";

    public async ValueTask InitializeAsync()
    {
        var host = (await redis.GetAsync(Cancel)).Host;
        _connection = await ConnectionMultiplexer.ConnectAsync(host);
        _store = new RedisTickStore($"redis://{host}/0?prefix={_prefix}", TickSettings.Default);
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
            await _store.DisposeAsync();
        if (_connection is not null)
            await _connection.DisposeAsync();
    }

    [Fact]
    public async Task Who_waits_goes_in_the_order_in_which_they_began()
    {
        await StandAsync("first", TimeSpan.FromMinutes(1));
        string[] writers = ["ann", "bob", "cy"];
        var writes = new List<Task>();
        foreach (var writer in writers)
        {
            writes.Add(WriteAsync(writer));
            await Eventually.TrueAsync(async () => await Server.SortedSetLengthAsync(Queue) == writes.Count + 1);
        }

        await new TickEditor(_store).SetAsync("y", "1", cancellationToken: Cancel);
        Assert.DoesNotContain(writes, write => write.IsCompleted);
        Assert.NotNull(await Server.KeyTimeToLiveAsync(Waiting));
        Assert.NotNull(await Server.KeyTimeToLiveAsync(Queue));
        await Server.SortedSetRemoveAsync(Waiting, "first");
        await Task.WhenAll(writes);

        Assert.Equal(writers, await WhoWroteAsync());
        Assert.False(await Server.KeyExistsAsync(Waiting));
    }

    [Fact]
    public async Task Writers_that_are_gone_while_they_waited_hold_up_nobody_and_leave_nothing()
    {
        await StandAsync("gone", TimeSpan.FromMilliseconds(-1));
        await StandAsync("gone too", TimeSpan.FromMilliseconds(-1));
        await StandAsync("leaving", TimeSpan.FromMinutes(1));
        var write = WriteAsync("ann");
        await Eventually.TrueAsync(async () => (await Server.SortedSetRangeByRankAsync(Queue)) is [var head, _] && head == "leaving");

        await StandAsync("leaving", TimeSpan.FromMilliseconds(100));
        await write;

        Assert.Equal(["ann"], await WhoWroteAsync());
    }

    [Fact]
    public async Task Who_gives_up_waiting_holds_up_nobody()
    {
        await StandAsync("first", TimeSpan.FromMinutes(1));
        using var gives = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var write = WriteAsync("ann", gives.Token);
        await Eventually.TrueAsync(async () => await Server.SortedSetLengthAsync(Waiting) == 2);

        await gives.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write);
        await Eventually.TrueAsync(async () => await Server.SortedSetLengthAsync(Waiting) == 1);
    }

    [Fact]
    public async Task Who_came_too_late_goes_before_those_that_come_later()
    {
        var decisions = 0;
        var rivals = Task.CompletedTask;

        await _store.ChangeAsync(
            "x",
            "ann",
            reading =>
            {
                // The rival is quicker, until it is told to wait.
                decisions++;
                var rival = WriteAsync($"rival {decisions}");
                rival.Wait(decisions == 1 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(200), Cancel);
                rivals = Task.WhenAll(rivals, rival);
                return TickRules.Set("x", reading, "0", null, null, replace: true);
            },
            Cancel
        );
        await rivals;

        Assert.InRange(decisions, 2, 6);
    }

    /// <summary>Makes a writer of another process wait for its turn: for this long from now on, if nothing is heard of it.</summary>
    private async Task StandAsync(string writer, TimeSpan waits)
    {
        var now = await _connection.GetServers()[0].TimeAsync();
        await Server.SortedSetAddAsync(Queue, writer, await Server.SortedSetLengthAsync(Queue), SortedSetWhen.NotExists);
        await Server.SortedSetAddAsync(Waiting, writer, new DateTimeOffset(now).Add(waits).ToUnixTimeMilliseconds());
    }

    private Task<TickChange> WriteAsync(string who, CancellationToken? cancellationToken = null) =>
        new TickEditor(_store, who).SetAsync("x", "1", replace: true, cancellationToken: cancellationToken ?? Cancel);

    private async Task<string[]> WhoWroteAsync() =>
        [
            .. (await _store.ReadAuditAsync("x", 100, Cancel))
                .Where(entry => entry.Operation.Action == TickAction.Set)
                .Select(entry => entry.Who),
        ];
}
