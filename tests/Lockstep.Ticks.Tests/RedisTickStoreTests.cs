using Lockstep.Redis;
using Lockstep.Testing;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

public sealed class RedisTickStoreTests(SharedRedis redis) : TickStoreContract, IClassFixture<SharedRedis>
{
    private readonly string _prefix = $"test-{Guid.NewGuid():N}";

    protected override async Task<ITickStore> OpenAsync(TickSettings settings) => new RedisTickStore(await UriAsync(), settings, Time);

    private async Task<string> UriAsync() => $"redis://{(await redis.GetAsync(Cancel)).Host}/0?prefix={_prefix}";

    [Fact]
    public async Task The_servers_clock_is_the_stores()
    {
        await using var store = new RedisTickStore(await UriAsync(), Settings);
        var server = await redis.GetAsync(Cancel);
        var before = await TimeOfAsync(server);
        var reading = await store.ReadAsync("x", Cancel);
        var after = await TimeOfAsync(server);

        Assert.InRange(reading.StoreTime, before, after);
        await using var writer = new RedisTickStore(await UriAsync());
        var commit = await writer.ChangeAsync(
            "x",
            "ann",
            read => TickRules.Set("x", read, "1", null, null, replace: false) with { Deadline = read.StoreTime.AddMinutes(1) },
            Cancel
        );
        Assert.InRange(commit.CommittedAt, after, await TimeOfAsync(server));
        await Assert.ThrowsAsync<TickDeadlineException>(() =>
            writer.ChangeAsync(
                "x",
                "ann",
                read => TickRules.Set("x", read, "2", null, null, replace: true) with { Deadline = read.StoreTime },
                Cancel
            )
        );
    }

    [Fact]
    public async Task A_change_that_another_one_came_before_is_decided_again_from_what_that_one_made()
    {
        await using var store = await OpenAsync(Settings);
        await using var other = await OpenAsync(Settings);
        var decisions = new List<int>();

        await store.ChangeAsync(
            "x",
            "ann",
            reading =>
            {
                decisions.Add(reading.Schedule.Tuples.Count);
                if (decisions.Count < 4)
                {
                    new TickEditor(other)
                        .SetAsync("x", $"{decisions.Count}", Later(decisions.Count), cancellationToken: Cancel)
                        .Wait(Cancel);
                }

                return TickRules.Set("x", reading, "0", Later(9), null, replace: false);
            },
            Cancel
        );

        Assert.Equal([0, 1, 2, 3], decisions);
        Assert.Equal(["1", "2", "3", "0"], (await store.ReadAsync("x", Cancel)).Schedule.Tuples.Select(tuple => tuple.Json));
        Assert.Equal(4, (await store.ReadAuditAsync("x", 10, Cancel)).Count);

        DateTimeOffset Later(int ticks) => Time.GetUtcNow().AddSeconds(60 + (10 * ticks));
    }

    [Fact]
    public async Task A_change_is_told_to_who_listens()
    {
        await using var listener = new RedisTickStore(await UriAsync(), Settings, Time);
        await using var writer = await OpenAsync(Settings);
        await listener.ReadAsync("x", Cancel);
        var heard = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        listener.Changed += name => heard.TrySetResult(name);
        await listener.ReadAsync("x", Cancel);

        // It is a hint: one sent before the server knows of the listener is not received.
        await Eventually.TrueAsync(async () =>
        {
            await new TickEditor(writer).SetAsync("a ä", "1", replace: true, cancellationToken: Cancel);
            return heard.Task.IsCompleted;
        });
        Assert.Equal("a ä", await heard.Task);
    }

    [Fact]
    public async Task A_missing_store_is_a_store_that_is_down_and_never_made_again()
    {
        var server = await redis.GetAsync(Cancel);
        await using var reader = new RedisTickStore($"redis://{server.Host}?prefix={_prefix}2");
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => reader.ReadAsync("x", Cancel));
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => reader.ListAsync(Cancel));

        await using var writer = new RedisTickStore($"redis://{server.Host}?prefix={_prefix}2", Settings);
        await writer.ReadAsync("x", Cancel);
        Assert.Empty(await reader.ListAsync(Cancel));
        await server.RunAsync(Cancel, "del", $"{{{_prefix}2}}:store");
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => new TickEditor(writer).SetAsync("x", "1", cancellationToken: Cancel));
        Assert.Equal("0", await server.RunAsync(Cancel, "exists", $"{{{_prefix}2}}:store"));
    }

    [Fact]
    public async Task Many_may_make_the_store_at_once_also_over_one_connection()
    {
        var server = await redis.GetAsync(Cancel);
        for (var i = 0; i < 20; i++)
        {
            await using var store = new RedisTickStore($"redis://{server.Host}?prefix={_prefix}-{i}", Settings);
            var readings = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => store.ReadAsync("x", Cancel), Cancel)));
            Assert.Single(readings.Select(reading => reading.Stamp.Identity).Distinct());
        }
    }

    [Fact]
    public async Task Something_else_under_the_prefix_is_refused_and_left_alone()
    {
        var server = await redis.GetAsync(Cancel);
        await server.RunAsync(Cancel, "set", $"{{{_prefix}3}}:store", "mine");
        await server.RunAsync(Cancel, "hset", $"{{{_prefix}4}}:store", "mine", "1");
        foreach (var prefix in new[] { $"{_prefix}3", $"{_prefix}4" })
        {
            await using var store = new RedisTickStore($"redis://{server.Host}?prefix={prefix}", Settings);
            await Assert.ThrowsAsync<TickStoreUnavailableException>(() => store.ReadAsync("x", Cancel));
        }

        Assert.Equal("mine", await server.RunAsync(Cancel, "get", $"{{{_prefix}3}}:store"));
    }

    private static async Task<DateTimeOffset> TimeOfAsync(RedisServer server)
    {
        var lines = (await server.RunAsync(Cancel, "time")).Split('\n');
        return DateTimeOffset.UnixEpoch.AddSeconds(long.Parse(lines[0], null)).AddTicks(10 * long.Parse(lines[1], null));
    }
}
