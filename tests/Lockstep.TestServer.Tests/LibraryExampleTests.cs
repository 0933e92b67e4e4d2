using System.Text;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Examples;
using Lockstep.Testing;
using Lockstep.TestServer.Feeds;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.TestServer.Tests;

/// <summary>Runs the example of the page "Lockstep as a C# library".</summary>
public sealed class LibraryExampleTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_mirror_is_updated_read_and_followed()
    {
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions { Feed = FeedKind.Scripted },
            cancellationToken: Cancel
        );
        server.AddRecord("""{"id":1,"updated_at":1,"port":80}""");
        server.AddRecord("""{"id":2,"updated_at":2,"port":8080}""");
        var mirror = new ServerMirror(server.FeedUri, _folder["servers.db"], NullLogger<ServerMirror>.Instance);

        var result = await mirror.UpdateAsync(Cancel);
        Assert.Equal((2L, SyncEndReason.Settled), (result.Added, result.EndReason));
        Assert.Equal([8080], mirror.Above(80).Select(found => found.Port));

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var seen = new List<string>();
        var following = mirror.FollowAsync(
            change =>
            {
                seen.Add($"{change.Kind} {Encoding.UTF8.GetString(change.Record.Span)}");
                return stop.CancelAsync();
            },
            stop.Token
        );
        server.AddRecord("""{"id":2,"updated_at":3,"port":443}""");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following);

        Assert.Equal([$$"""{{ChangeKind.Updated}} {"id":2,"updated_at":3,"port":443}"""], seen);
    }
}
