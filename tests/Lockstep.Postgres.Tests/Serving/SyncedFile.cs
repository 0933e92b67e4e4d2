using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tests.Serving;

/// <summary>A table file that is synced with a feed over HTTP, as a user's is.</summary>
internal sealed class SyncedFile(Uri feed, string path)
{
    /// <summary>Syncs, again if necessary, until the file holds the rows.</summary>
    public async Task SyncUntilAsync(SortedDictionary<string, string> expected, CancellationToken cancellationToken)
    {
        for (var got = new SortedDictionary<string, string>(); !got.SequenceEqual(expected); got = Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var sync = new TableSync(
                new SyncOptions
                {
                    Feed = new FeedOptions { Uri = feed, CursorStyle = CursorStyle.Query },
                    Store = new FileTableStore(path),
                    Settle = TimeSpan.FromMilliseconds(100),
                    MaximumRetryCount = 20,
                    RetryInterval = TimeSpan.FromMilliseconds(50),
                }
            );
            await foreach (var _ in sync.RunAsync(cancellationToken)) { }
        }
    }

    /// <summary>How far it has come.</summary>
    public long Cursor => long.Parse(new Table(path).GetInfo().Cursor.ToString(), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The records that it holds, by key.</summary>
    public SortedDictionary<string, string> Read()
    {
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        using var scan = new Table(path).Read();
        while (scan.Read())
        {
            var json = JsonText.Canonical(Encoding.UTF8.GetString(scan.Json));
            using var row = System.Text.Json.JsonDocument.Parse(json);
            rows.Add(row.RootElement.GetProperty("id").GetRawText(), json);
        }

        return rows;
    }
}
