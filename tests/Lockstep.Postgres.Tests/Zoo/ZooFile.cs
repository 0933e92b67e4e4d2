using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tests.Zoo;

/// <summary>A table file that is synced with a feed of the zoo.</summary>
/// <param name="feed">The feed's address.</param>
/// <param name="relation">What is served.</param>
/// <param name="path">The file.</param>
internal sealed class ZooFile(Uri feed, string relation, string path)
{
    public string Relation => relation;

    public Uri Feed => feed;

    /// <summary>How often it had to start over.</summary>
    public int Resyncs { get; private set; }

    /// <summary>Syncs to what the feed has now.</summary>
    public async Task SyncAsync(CancellationToken cancellationToken)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = feed, CursorStyle = CursorStyle.Query },
                Store = new FileTableStore(path),
                Settle = TimeSpan.FromMilliseconds(100),
                MaximumRetryCount = 3,
                RetryInterval = TimeSpan.FromMilliseconds(50),
                Force = true,
            }
        );
        await foreach (var step in sync.RunAsync(cancellationToken))
        {
            if (step is FeedEventOccurred { Event.Kind: FeedEventKind.Resync })
                Resyncs++;
        }
    }

    /// <summary>Its records, without members that are null: those of a column that was added later are missing.</summary>
    public string[] Read()
    {
        var rows = new List<string>();
        using var scan = new Table(path).Read();
        while (scan.Read())
            rows.Add(WithoutNulls(Encoding.UTF8.GetString(scan.Json)));
        return [.. rows.Order(StringComparer.Ordinal)];
    }

    public static string WithoutNulls(string json)
    {
        var row = JsonNode.Parse(json)!.AsObject();
        foreach (var (name, value) in row.ToArray())
        {
            if (value is null)
                row.Remove(name);
        }

        return JsonText.Canonical(row.ToJsonString());
    }
}
