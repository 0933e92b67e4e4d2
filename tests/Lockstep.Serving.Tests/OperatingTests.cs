using System.Net;
using System.Net.Http.Headers;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving.Tests;

/// <summary>What operators see of a server, and what they change while it runs.</summary>
public sealed class OperatingTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Feeds_come_and_go_without_cutting_off_who_reads_another_one()
    {
        await using var server = await StartAsync([Source("stays")]);
        using var client = new HttpClient();
        using var reader = new StreamReader(await client.GetStreamAsync(new Uri(server.Uri, "stays"), Cancel));
        Assert.Contains("\"id\":1", await reader.ReadLineAsync(Cancel), StringComparison.Ordinal);
        var next = reader.ReadLineAsync(Cancel);

        var added = Source("added");
        server.Add(added);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "added"));
        Assert.Throws<ArgumentException>(() => server.Add(Source("added")));
        await server.RemoveAsync("added");
        await server.RemoveAsync("added");
        Assert.True(added.Disposed);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(server, "added"));
        Assert.False(next.IsCompleted);
        Assert.Equal(["stays"], server.Sources.Select(source => source.Name));
    }

    [Fact]
    public async Task Other_credentials_hold_from_the_next_request_on()
    {
        await using var server = await StartAsync([Source("one")], FeedCredential.Bearer("before"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "one", "before"));
        server.UseCredentials([FeedCredential.Bearer("after")]);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(server, "one", "before"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "one", "after"));
    }

    [Fact]
    public async Task Readiness_is_told_for_all_feeds_and_for_each_and_life_in_any_case()
    {
        var bad = Source("bad");
        bad.OpenError = new FeedUnavailableException("It is away.", TimeSpan.FromSeconds(1));
        await using var server = await StartAsync([Source("good"), bad], FeedCredential.Bearer("secret"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "livez"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(server, "readyz"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "readyz/good", "secret"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(server, "readyz/bad", "secret"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(server, "readyz/other", "secret"));
        bad.OpenError = null;
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "readyz"));
    }

    [Fact]
    public async Task Metrics_are_those_of_the_feeds_that_the_credential_opens()
    {
        await using var server = await StartAsync(
            [Source("mine \"1\""), Source("yours")],
            FeedCredential.Bearer("all"),
            FeedCredential.Bearer("some", ["yours"])
        );
        using var client = new HttpClient();
        using var stream = await client.SendAsync(Request(server, "yours", "all"), HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(server, "metrics"));
        var all = await TextAsync("all");
        Assert.Contains("# TYPE lockstep_feed_ready gauge\n", all, StringComparison.Ordinal);
        Assert.Contains("lockstep_feed_ready{feed=\"mine \\\"1\\\"\"} 1\n", all, StringComparison.Ordinal);
        Assert.Contains("lockstep_serving_connections{feed=\"yours\"} 1\n", all, StringComparison.Ordinal);
        Assert.Contains("# TYPE lockstep_serving_sent_bytes_total counter\n", all, StringComparison.Ordinal);
        var some = await TextAsync("some");
        Assert.Contains("lockstep_feed_ready{feed=\"yours\"} 1\n", some, StringComparison.Ordinal);
        Assert.DoesNotContain("mine", some, StringComparison.Ordinal);

        async Task<string> TextAsync(string token) =>
            await (await client.SendAsync(Request(server, "metrics", token, asPassword: true), Cancel)).Content.ReadAsStringAsync(Cancel);
    }

    [Fact]
    public async Task A_feed_that_is_called_like_an_operators_path_goes_before_it()
    {
        await using var server = await StartAsync([Source("metrics")]);
        using var client = new HttpClient();
        using var answer = await client.GetAsync(new Uri(server.Uri, "metrics"), HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal("source-1", answer.Headers.GetValues("Lockstep-Feed").Single());
    }

    [Fact]
    public async Task A_read_that_fails_is_told_to_the_operator_and_counted_also_when_the_body_had_begun()
    {
        var told = new ListLogger();
        var source = Source("feed");
        source.EndError = new InvalidOperationException("It broke.");
        await using var server = await FeedServer.StartAsync(
            [source],
            new FeedServerOptions { LoggerFactory = told },
            cancellationToken: Cancel
        );
        using var client = new HttpClient();
        await Assert.ThrowsAnyAsync<Exception>(() => client.GetStringAsync(new Uri(server.Uri, "feed"), Cancel));
        await Eventually.TrueAsync(() => Count() == 1);
        var entry = told.Entries.Single(entry => entry.Level == LogLevel.Warning);
        Assert.Equal(("A client could not read feed.", "It broke."), (entry.Message, entry.Error?.Message));

        source.OpenError = new FeedUnavailableException("It is away.", TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(server, "feed"));
        source.OpenError = new FeedUnavailableException("No.", TimeSpan.FromSeconds(1), new DeniedException());
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(server, "feed"));
        source.OpenError = new DeniedException();
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(server, "feed"));
        Assert.Equal(4, Count());
        var metrics = await client.GetStringAsync(new Uri(server.Uri, "metrics"), Cancel);
        Assert.Contains(
            "lockstep_serving_read_errors_total{feed=\"feed\",reason=\"FeedUnavailable\"} 2\n",
            metrics,
            StringComparison.Ordinal
        );
        Assert.Contains("reason=\"InvalidOperationException\"} 1\n", metrics, StringComparison.Ordinal);

        int Count()
        {
            return told.Entries.Count(entry => entry.Level == LogLevel.Warning);
        }
    }

    [Fact]
    public async Task A_source_that_was_started_late_is_ready_when_it_can_be_read_and_not_when_it_was_started()
    {
        var source = Source("late");
        await using var late = new LateSource("late", _ => Task.FromResult<IFeedSource>(source));
        await Eventually.WithoutAsync<FeedUnavailableException>(() => late.CheckAsync(Cancel));

        source.CheckError = new FeedUnavailableException("It is away.", TimeSpan.FromSeconds(1));

        await Assert.ThrowsAsync<FeedUnavailableException>(() => late.CheckAsync(Cancel));
    }

    [Fact]
    public async Task A_source_that_is_not_there_yet_is_started_until_it_is()
    {
        var tries = 0;
        var source = Source("late");
        await using var late = new LateSource(
            "late",
            _ => ++tries < 3 ? throw new DeniedException() : Task.FromResult<IFeedSource>(source)
        );
        await Eventually.WithoutAsync<FeedUnavailableException>(async () => await ((IFeedSource)late).GetStateAsync(Cancel));
        Assert.Equal(3, tries);
        Assert.Null(late.Error);
        await late.DisposeAsync();
        Assert.True(source.Disposed);
    }

    private static ScriptedSource Source(string name) =>
        new(name) { Chunks = { ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1)) } };

    private static Task<FeedServer> StartAsync(IReadOnlyList<IFeedSource> sources, params FeedCredential[] credentials) =>
        FeedServer.StartAsync(sources, new FeedServerOptions { Credentials = credentials }, cancellationToken: Cancel);

    private static HttpRequestMessage Request(FeedServer server, string path, string? token = null, bool asPassword = false)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
        if (token is not null)
        {
            request.Headers.Authorization = asPassword
                ? new AuthenticationHeaderValue("Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"prometheus:{token}")))
                : new AuthenticationHeaderValue("Bearer", token);
        }

        return request;
    }

    private static async Task<HttpStatusCode> StatusAsync(FeedServer server, string path, string? token = null)
    {
        using var client = new HttpClient();
        using var request = Request(server, path, token);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        return answer.StatusCode;
    }

    private sealed class DeniedException() : LockstepException(ErrorKind.AccessDenied, "The right was taken back.", "Give it again.");
}
