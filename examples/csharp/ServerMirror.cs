using System.Text.Json.Serialization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;

namespace Lockstep.Examples;

/// <summary>A record of the feed. Fields that it does not name are kept in the table all the same.</summary>
public sealed record Server
{
    [JsonPropertyName("id")]
    public int Id { get; init; }

    [JsonPropertyName("port")]
    public int Port { get; init; }
}

[JsonSerializable(typeof(Server))]
public sealed partial class ServerJson : JsonSerializerContext;

/// <summary>Keeps the servers of a feed in a table file, and reads them from there.</summary>
public sealed class ServerMirror(Uri feed, string path, ILogger<ServerMirror> logger)
{
    private readonly Table _table = new(path);

    /// <summary>Brings the file up to date, and returns when nothing new comes.</summary>
    public async Task<SyncResult> UpdateAsync(CancellationToken cancellationToken)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = feed },
                Store = new FileTableStore(path),
                Logger = logger,
            }
        );
        await foreach (var step in sync.RunAsync(cancellationToken))
        {
            if (step is SyncEnded ended)
                return ended.Result;
        }

        throw new OperationCanceledException(cancellationToken);
    }

    /// <summary>Follows the feed until it is canceled, and tells of each change once it is committed.</summary>
    public async Task FollowAsync(Func<TableChange, Task> changed, CancellationToken cancellationToken)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = feed },
                Store = new FileTableStore(path),
                Follow = true,
                WantsChanges = true,
                Logger = logger,
            }
        );
        await foreach (var step in sync.RunAsync(cancellationToken))
        {
            if (step is not ChangesCommitted commit)
                continue;
            foreach (var change in commit.Changes)
                await changed(change);
        }
    }

    /// <summary>The servers with a port above one, from the file alone: no network, and not disturbed by a sync that runs.</summary>
    public IReadOnlyList<Server> Above(int port) =>
        [
            .. _table.Read(
                ServerJson.Default.Server,
                new RecordQuery
                {
                    Filter = "port > :port",
                    FilterParameters = new Dictionary<string, object?> { ["port"] = port },
                }
            ),
        ];
}
