using System.Text;
using System.Text.Json;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving.Tests;

/// <summary>A row of a table file that no client could accept is left out, reported and counted; everybody continues.</summary>
public sealed class LeftOutRowTests : IAsyncDisposable
{
    private const int Largest = 4096;

    /// <summary>As deep as a record may be, which is one level more than the data of a line may be.</summary>
    private static readonly string Deep = new string('[', 63) + new string(']', 63);
    private static readonly string Large = $"\"{new string('x', Largest)}\"";

    private readonly TempFolder _folder = new();
    private readonly ListLogger _log = new();
    private FeedServer? _server;

    public static TheoryData<string, string, string> Poison { get; } =
        new()
        {
            { Deep, "", "nested deeper" },
            { Deep, "?where=id>0", "nested deeper" },
            { Large, "", "largest record" },
            { Large, "?where=id>0", "largest record" },
        };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("'{'", "not a JSON object")]
    [InlineData("'[[[' || replace(hex(zeroblob(100)), '0', '[')", "not a JSON object")]
    [InlineData("'{} ,\"more\":1'", "not a JSON object")]
    [InlineData("zeroblob(100)", "not a JSON object")]
    [InlineData("zeroblob(5000)", "largest record")]
    [InlineData("replace(hex(zeroblob(5000)), '0', '{')", "largest record")]
    public async Task A_row_that_is_no_JSON_is_left_out_and_the_others_come(string body, string reason)
    {
        await ImportAsync(Record(1, "1"), Record(2, "2"), Record(3, "3"));
        await using (var file = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_folder["t.db"]};Pooling=False"))
        {
            file.Open();
            await using var command = file.CreateCommand();
#pragma warning disable CA2100 // The bodies are those above.
            command.CommandText = $"UPDATE lockstep_row SET body = {body} WHERE key = 2";
#pragma warning restore CA2100
            Assert.Equal(1, command.ExecuteNonQuery());
        }

        await ServeAsync();

        var warnings = await SyncAsync("");

        Assert.Equal([1, 3], Keys());
        var warning = Assert.Single(warnings, warning => warning.Contains("leaves out", StringComparison.Ordinal));
        Assert.Contains(reason, warning, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Poison))]
    public async Task A_client_has_all_other_rows_and_is_told_of_that_one(string poison, string query, string reason)
    {
        await ImportAsync(Record(1, "1"), Record(2, poison), Record(3, "3"));
        await ServeAsync();

        var warnings = await SyncAsync(query);

        Assert.Equal([1, 3], Keys());
        var warning = Assert.Single(warnings, warning => warning.Contains("leaves out", StringComparison.Ordinal));
        Assert.Contains("{\"id\":2}", warning, StringComparison.Ordinal);
        Assert.Contains(reason, warning, StringComparison.Ordinal);
        var entry = Assert.Single(_log.Entries, entry => entry.Level == LogLevel.Warning);
        Assert.Contains("{\"id\":2}", entry.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Poison))]
    public async Task A_version_that_is_left_out_removes_the_one_before_and_the_next_one_comes(string poison, string query, string reason)
    {
        await ImportAsync(Record(1, "1"), Record(2, "2"));
        await ServeAsync();
        await SyncAsync(query);
        Assert.Equal([1, 2], Keys());

        await ImportAsync(Record(2, poison, order: 5));
        Assert.Contains(await SyncAsync(query), warning => warning.Contains(reason, StringComparison.Ordinal));
        Assert.Equal([1], Keys());

        await ImportAsync(Record(2, "\"good again\"", order: 6));
        await SyncAsync(query);
        Assert.Equal([1, 2], Keys());
    }

    [Fact]
    public async Task Pages_go_on_behind_it()
    {
        await ImportAsync([.. Enumerable.Range(1, 30).Select(i => Record(i, i % 10 == 0 ? Large : "1"))]);
        await ServeAsync(pageBytes: 1024);

        await SyncAsync("", "/pages");

        Assert.Equal(Enumerable.Range(1, 30).Where(i => i % 10 != 0), Keys());
    }

    [Fact]
    public async Task It_is_counted_once_for_each_version_however_many_read_it()
    {
        await ImportAsync(Record(1, "1"), Record(2, Large));
        await ServeAsync();
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
            await client.GetStringAsync(new Uri(_server!.Uri, "t/pages"), Cancel);

        var metrics = await client.GetStringAsync(new Uri(_server!.Uri, "metrics"), Cancel);
        var state = JsonDocument.Parse(await client.GetStringAsync(new Uri(_server.Uri, "_lockstep/state"), Cancel)).RootElement;

        Assert.Contains("lockstep_serving_rows_left_out_total{feed=\"t\"} 1\n", metrics, StringComparison.Ordinal);
        var feed = state.GetProperty("feeds")[0];
        Assert.Equal(1, feed.GetProperty("leftOut").GetInt64());
        Assert.StartsWith("{\"id\":2}: The row takes ", feed.GetProperty("lastLeftOut").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_whose_key_is_too_long_as_well_is_told_of_without_it()
    {
        await ImportAsync($$"""{"id":{{Large}},"updated_at":1}""", """{"id":"z","updated_at":2}""");
        await ServeAsync();
        using var client = new HttpClient();

        var lines = (await client.GetStringAsync(new Uri(_server!.Uri, "t/pages"), Cancel)).Split('\n');

        Assert.Contains(lines, line => line.Contains("\"key\":null,\"reason\":\"The row takes", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("\"id\":\"z\"", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Length > Largest);
    }

    private static string Record(int id, string value, int order = 0) =>
        $$"""{"id":{{id}},"updated_at":{{(order > 0 ? order : id)}},"v":{{value}}}""";

    private async Task ImportAsync(params string[] records)
    {
        using var source = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', records)));
        var import = new TableImport(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri("file:///records") },
                Store = new FileTableStore(_folder["t.db"]),
                TableName = "t",
            },
            source
        );
        await foreach (var _ in import.RunAsync(Cancel)) { }
    }

    private async Task ServeAsync(int pageBytes = 256 * 1024)
    {
        var options = new TableFeedOptions
        {
            Path = _folder["t.db"],
            MaximumRowBytes = Largest,
            PageBytes = pageBytes,
            Logger = _log,
        };
        _server = await FeedServer.StartAsync(
            [await TableFeed.StartAsync(options, cancellationToken: Cancel)],
            new FeedServerOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(200) },
            cancellationToken: Cancel
        );
    }

    /// <summary>Brings a copy up to date with the feed; returns the warnings.</summary>
    private async Task<List<string>> SyncAsync(string query, string path = "")
    {
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri(_server!.Uri, $"t{path}{query}"), CursorStyle = CursorStyle.Query },
            Store = new FileTableStore(_folder["copy.db"]),
            Settle = TimeSpan.FromMilliseconds(100),
        };
        var warnings = new List<string>();
        await foreach (var step in new TableSync(options).RunAsync(Cancel))
        {
            if (step is FeedEventOccurred { Event: { Kind: FeedEventKind.Warning } warning })
                warnings.Add(warning.Message);
        }

        return warnings;
    }

    private List<int> Keys()
    {
        var keys = new List<int>();
        using var scan = new Table(_folder["copy.db"]).Read();
        while (scan.Read())
        {
            using var json = JsonDocument.Parse(scan.Json.ToArray());
            keys.Add(json.RootElement.GetProperty("id").GetInt32());
        }

        return keys;
    }
}
