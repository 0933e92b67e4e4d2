using Lockstep.Engine.Tests.Reliability;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;
using Lockstep.TestServer.Requests;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>
/// The test server speaks each dialect and a sync reads it: through random changes, page sizes and faults the table is what the server
/// holds, including removals. A failure names its seed.
/// </summary>
public sealed class RoundTripTests : SyncTest
{
    public static TheoryData<string> Feeds => [.. FeedWorld.Names];

    [Theory]
    [MemberData(nameof(Feeds))]
    public async Task Through_random_changes_and_faults_the_table_is_what_the_server_holds(string name)
    {
        var first = LongForm.Seed(700);
        for (var seed = first; seed < first + LongForm.Of(4, 200); seed++)
        {
            await using var world = await FeedWorld.StartAsync(name, seed, Folder($"{name} {seed}.db"));
            for (var step = 0; step < 6; step++)
            {
                world.Change();
                world.Fault();
                await world.SyncAsync();
                world.AssertEqual($"{name}, seed {seed}, step {step}");
            }

            world.Server.Faults.Clear();
            await world.SyncAsync();
            var idle = await world.SyncAsync();
            Assert.Equal("0 0 0", $"{idle.Added} {idle.Updated} {idle.Deleted}");
        }
    }

    [Theory]
    [MemberData(nameof(Feeds))]
    public async Task Followed_it_stays_so(string name)
    {
        var first = LongForm.Seed(40);
        for (var seed = first; seed < first + LongForm.Of(1, 60); seed++)
        {
            await using var world = await FeedWorld.StartAsync(name, seed, Folder($"live {name} {seed}.db"));
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            var following = Task.Run(() => world.FollowAsync(stop.Token), Cancellation);
            for (var step = 0; step < 6; step++)
            {
                world.Change();
                world.Fault();
                if (step % 2 == 1)
                    world.Server.CloseConnections(CutKind.Reset);
                await Eventually.TrueAsync(
                    () => following.IsCompleted || world.IsEqual(),
                    $"{name}, seed {seed}, step {step}: {world.Story()}"
                );
                Assert.False(following.IsCompleted, $"{name}, seed {seed}: {following.Exception}");
            }

            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
        }
    }

    [Theory]
    [InlineData("Kubernetes", "watch=")]
    [InlineData("CouchDb", "feed=continuous")]
    [InlineData("EventStream", "/events")]
    public async Task Only_answers_that_end_are_to_be_compressed_for_an_endless_one_would_be_held_back(string name, string stream)
    {
        await using var world = await FeedWorld.StartAsync(name, 1, Folder($"compressed {name}.db"));
        world.Server.AddRecord("""{"id":"k1","v":1,"w":1}""");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var following = Task.Run(() => world.FollowAsync(stop.Token), Cancellation);
        bool IsStream(TestRequest request) => request.Path.Contains(stream, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => world.Server.Requests.Any(IsStream));

        foreach (var request in world.Server.Requests)
            Assert.Equal(IsStream(request) ? "identity" : "gzip, deflate, br", request.Headers["Accept-Encoding"]);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }

    [Theory]
    [InlineData("Kubernetes")]
    [InlineData("CouchDb")]
    [InlineData("EventStream")]
    public async Task A_stream_that_is_quiet_has_sent_what_there_was(string name)
    {
        await using var world = await FeedWorld.StartAsync(name, 1, Folder($"quiet {name}.db"));
        world.Server.AddRecord("""{"id":"k1","v":1,"w":1}""");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var following = Task.Run(() => world.FollowAsync(stop.Token), Cancellation);
        await Eventually.TrueAsync(() => world.LastSync is not null);
        var connected = DateTimeOffset.UtcNow;

        await Eventually.TrueAsync(() => world.LastSync >= connected);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);
    }
}
