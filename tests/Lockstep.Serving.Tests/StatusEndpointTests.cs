using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Serving.Tests;

/// <summary>Who may see a feed server's status, and what it says.</summary>
public sealed class StatusEndpointTests
{
    private readonly ManualTimeProvider _time = new(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_counts_what_each_client_was_sent_and_for_how_long_it_has_lacked_something()
    {
        var (large, small) = (new ScriptedSource("large"), new ScriptedSource("small"));
        large.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1), ScriptedSource.Row(2)));
        small.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1)));
        small.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotCompleted, 7));
        await using var server = await StartAsync([large, small]);
        using var client = new HttpClient();
        await using var unfinished = await ReadAsync(client, server, "large?since=0&token=secret", 2);
        _time.Advance(TimeSpan.FromSeconds(3));
        await using var caughtUp = await ReadAsync(client, server, "small", 2);
        _time.Advance(TimeSpan.FromSeconds(2));

        // The client has the last line before the server has counted it.
        var state = await StateAsync(
            client,
            server,
            state =>
                state.GetProperty("connected")[0].GetProperty("records").GetInt64() == 2
                && state.GetProperty("connected")[1].GetProperty("position").GetInt64() == 7
        );
        var (first, second) = (state.GetProperty("connected")[0], state.GetProperty("connected")[1]);
        Assert.Equal(
            (2, 5.0, 0),
            (first.GetProperty("records").GetInt32(), first.GetProperty("lag").GetDouble(), first.GetProperty("position").GetInt32())
        );
        Assert.Equal(
            (1, 0.0, 7),
            (second.GetProperty("records").GetInt32(), second.GetProperty("lag").GetDouble(), second.GetProperty("position").GetInt32())
        );
        Assert.Equal("/large?since=0&token=***", first.GetProperty("path").GetString());
        Assert.Equal(3, state.GetProperty("sent").GetProperty("records").GetInt32());
        var feed = state.GetProperty("feeds")[0];
        Assert.Equal(
            ("large", true, 9, 1),
            (
                feed.GetProperty("name").GetString(),
                feed.GetProperty("readable").GetBoolean(),
                feed.GetProperty("position").GetInt32(),
                feed.GetProperty("clients").GetInt32()
            )
        );
    }

    [Fact]
    public async Task What_was_sent_is_remembered_when_the_client_is_gone()
    {
        await using var server = await StartAsync([new ScriptedSource("items")]);
        using var client = new HttpClient();
        await client.GetStringAsync(new Uri(server.Uri, "items/pages"), Cancel);
        var state = await StateAsync(client, server, state => state.GetProperty("clients").GetInt32() == 0);
        Assert.Equal(1, state.GetProperty("sent").GetProperty("records").GetInt32());
    }

    [Fact]
    public async Task Why_a_feed_cannot_be_read_is_not_told()
    {
        await using var server = await StartAsync([
            new ScriptedSource("items") { OpenError = new FeedUnavailableException("db secret", TimeSpan.FromSeconds(1)) },
        ]);
        using var client = new HttpClient();
        var state = await client.GetStringAsync(new Uri(server.Uri, "_lockstep/state"), Cancel);
        Assert.Contains("\"readable\":false", state, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", state, StringComparison.Ordinal);
        Assert.Equal("[]", await client.GetStringAsync(new Uri(server.Uri, "_lockstep/latest"), Cancel));
    }

    [Fact]
    public async Task The_newest_records_come_first_and_long_ones_are_cut()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 0, [.. Enumerable.Range(1, 30).Select(id => ScriptedSource.Row(id))]));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 9, new string('x', 5000)));
        await using var server = await StartAsync([source]);
        using var client = new HttpClient();
        string[] latest = [];
        while (latest.Length == 0 || latest[0].Length != 2001)
        {
            Cancel.ThrowIfCancellationRequested();
            using var json = JsonDocument.Parse(await client.GetStringAsync(new Uri(server.Uri, "_lockstep/latest"), Cancel));
            latest = [.. json.RootElement.EnumerateArray().Select(record => record.GetProperty("record").GetString()!)];
        }

        Assert.Equal([new string('x', 2000) + "…", .. Enumerable.Range(12, 19).Reverse().Select(id => ScriptedSource.Row(id))], latest);
        Assert.Equal((9, "source-1"), (source.Asked!.Since, source.Asked.Identity));
    }

    [Theory]
    [InlineData(null, 401)]
    [InlineData("Basic cmVhZGVyOndyb25n", 401)]
    [InlineData("Basic cmVhZGVyOndvcmQ=", 200)] // reader:word
    [InlineData("Basic YW55Ym9keTpvbmUtdG9rZW4=", 200)] // anybody:one-token
    [InlineData("Bearer one-token", 200)]
    [InlineData("Bearer word", 401)]
    public async Task It_is_behind_the_feeds_credentials(string? authorization, int status)
    {
        await using var server = await StartAsync(
            [new ScriptedSource("items")],
            FeedCredential.Basic("reader", "word"),
            FeedCredential.Bearer("one-token")
        );
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = authorization is null ? null : AuthenticationHeaderValue.Parse(authorization);
        foreach (var path in (string[])["_lockstep/", "_lockstep/status.js", "_lockstep/state", "_lockstep/latest"])
        {
            using var response = await client.GetAsync(new Uri(server.Uri, path), Cancel);
            Assert.Equal(status, (int)response.StatusCode);
            if (status == 401)
                Assert.Contains(response.Headers.WwwAuthenticate, way => way.Scheme == "Basic");
        }
    }

    [Fact]
    public async Task A_token_opens_no_feed_as_a_password()
    {
        await using var server = await StartAsync([new ScriptedSource("items")], FeedCredential.Bearer("one-token"));
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = AuthenticationHeaderValue.Parse("Basic YW55Ym9keTpvbmUtdG9rZW4=");
        using var response = await client.GetAsync(new Uri(server.Uri, "items"), Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task A_credential_shows_the_feeds_that_it_opens()
    {
        await using var server = await StartAsync(
            [new ScriptedSource("items"), new ScriptedSource("people")],
            FeedCredential.Bearer("one-token", ["items"]),
            FeedCredential.Bearer("other")
        );
        using var all = new HttpClient();
        all.DefaultRequestHeaders.Authorization = AuthenticationHeaderValue.Parse("Bearer other");
        using var response = await all.GetAsync(new Uri(server.Uri, "people"), HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var one = new HttpClient();
        one.DefaultRequestHeaders.Authorization = AuthenticationHeaderValue.Parse("Bearer one-token");
        var (seen, whole) = (await StateAsync(one, server, _ => true), await StateAsync(all, server, _ => true));
        Assert.Equal(["items"], seen.GetProperty("feeds").EnumerateArray().Select(feed => feed.GetProperty("name").GetString()));
        Assert.Equal((0, 1), (seen.GetProperty("clients").GetInt32(), whole.GetProperty("clients").GetInt32()));
    }

    [Theory]
    [InlineData("Host", "feeds.example", 403)]
    [InlineData("Host", "feeds.example:4567", 403)]
    [InlineData("Host", "10.0.0.1", 403)]
    [InlineData("Host", "localhost:4567", 200)]
    [InlineData("Host", "[::1]:4567", 200)]
    [InlineData("X-Forwarded-For", "10.0.0.1", 403)]
    [InlineData("Forwarded", "for=10.0.0.1", 403)]
    [InlineData("Origin", "http://other.example", 403)]
    public async Task Without_credentials_it_is_for_this_machine_only(string header, string value, int status)
    {
        await using var server = await StartAsync([new ScriptedSource("items")]);
        using var client = new HttpClient();
        foreach (var path in (string[])["_lockstep/", "_lockstep/state"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
            request.Headers.TryAddWithoutValidation(header, value);
            using var response = await client.SendAsync(request, Cancel);
            Assert.Equal(status, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task It_controls_nothing_and_can_be_left_out()
    {
        await using (var server = await StartAsync([new ScriptedSource("items")]))
        {
            using var client = new HttpClient();
            using var posted = await client.PostAsync(new Uri(server.Uri, "_lockstep/state"), null, Cancel);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
            foreach (var path in (string[])["_lockstep/faults", "_lockstep/close"])
            {
                using var response = await client.GetAsync(new Uri(server.Uri, path), Cancel);
                Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            }
        }

        await using var without = await FeedServer.StartAsync(
            [new ScriptedSource("items")],
            new FeedServerOptions { StatusPage = false },
            _time,
            Cancel
        );
        using var other = new HttpClient();
        using var answer = await other.GetAsync(new Uri(without.Uri, "_lockstep/"), Cancel);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    private Task<FeedServer> StartAsync(IReadOnlyList<IFeedSource> sources, params FeedCredential[] credentials) =>
        FeedServer.StartAsync(sources, new FeedServerOptions { Credentials = credentials }, _time, Cancel);

    private static async Task<Stream> ReadAsync(HttpClient client, FeedServer server, string path, int lines)
    {
        var stream = await client.GetStreamAsync(new Uri(server.Uri, path), Cancel);
        var buffer = new byte[1];
        while (lines > 0)
        {
            await stream.ReadExactlyAsync(buffer, Cancel);
            if (buffer[0] == '\n')
                lines--;
        }

        return stream;
    }

    private static async Task<JsonElement> StateAsync(HttpClient client, FeedServer server, Predicate<JsonElement> until)
    {
        while (true)
        {
            using var json = JsonDocument.Parse(await client.GetStringAsync(new Uri(server.Uri, "_lockstep/state"), Cancel));
            if (until(json.RootElement))
                return json.RootElement.Clone();
        }
    }
}
