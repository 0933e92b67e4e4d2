using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Tests;

public sealed class FeedServerTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_feed_that_comes_while_a_request_for_it_is_routed_answers_it()
    {
        await using var server = await FeedServer.StartAsync([], new FeedServerOptions { ExpectsFeeds = true }, cancellationToken: Cancel);
        server.Add(new ScriptedSource("items"));
        server.ExpectsFeeds = false;
        var context = new DefaultHttpContext { Request = { Method = "DELETE", Path = "/items" } };

        await server.RefuseUnknownAsync(context);

        Assert.Equal(StatusCodes.Status405MethodNotAllowed, context.Response.StatusCode);
        context.Request.Path = "/others";
        await server.RefuseUnknownAsync(context);
        Assert.Equal(StatusCodes.Status404NotFound, context.Response.StatusCode);
    }

    [Theory]
    [InlineData("items?since=5", 5)]
    [InlineData("items/5", 5)]
    [InlineData("items/", 0)]
    [InlineData("items", 0)]
    [InlineData("items?since=0", 0)]
    public async Task The_cursor_is_in_the_path_or_the_query(string path, long since)
    {
        var source = new ScriptedSource("items");
        await using var server = await StartAsync(source);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
        request.Headers.Add("Lockstep-Feed", "mine");
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(response.Headers.TransferEncodingChunked);
        Assert.Equal("source-1", response.Headers.GetValues("Lockstep-Feed").Single());
        Assert.Equal((since, "mine"), (source.Asked!.Since, source.Asked.Identity));
    }

    [Theory]
    [InlineData("We\"ird Näme/x?y")]
    [InlineData("100%")]
    [InlineData("pages")]
    [InlineData("a+b#c")]
    public async Task A_name_is_found_whatever_is_in_it(string name)
    {
        var source = new ScriptedSource(name);
        await using var server = await StartAsync(source);
        using var client = new HttpClient();
        using var response = await client.GetAsync(
            new Uri(server.Uri, $"{Uri.EscapeDataString(name)}/7"),
            HttpCompletionOption.ResponseHeadersRead,
            Cancel
        );
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(7, source.Asked!.Since);
    }

    [Theory]
    [InlineData("items?since=5x")]
    [InlineData("items/-1")]
    [InlineData("items?since=5:5000")]
    [InlineData("items/99999999999999999999")]
    [InlineData("items?since=5%00")]
    [InlineData("items?where=")]
    [InlineData("items?wher=a=1")]
    [InlineData("items?since=0&limit=5")]
    [InlineData("items/pages?column=a")]
    [InlineData("items?where=nothing")]
    [InlineData("items?where=a<true")]
    [InlineData("items?where=a<>1")]
    [InlineData("items?where=a%3D%22%5Cud800%22")]
    [InlineData("items/pages?feed=source-1&horizon=x")]
    [InlineData("items/pages?feed=source-1&horizon=1%00")]
    public async Task What_cannot_be_understood_is_answered_400(string path)
    {
        await using var server = await StartAsync(new ScriptedSource("items"));
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server.Uri, path), Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task Rows_are_followed_by_the_control_rows_that_their_chunks_mean()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1)));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotCompleted, 7));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 9, ScriptedSource.Row(8)));
        await using var server = await StartAsync(source);
        var lines = await LinesAsync(server, "items", 4);
        var time = Now.ToUnixTimeSeconds();
        Assert.Equal(
            [
                ScriptedSource.Row(1),
                $$"""{"control":true,"type":"snapshot_completed","timestamp":{{time}},"since":7}""",
                ScriptedSource.Row(8),
                $$"""{"control":true,"type":"heartbeat","timestamp":{{time}},"since":9}""",
            ],
            lines
        );
    }

    [Fact]
    public async Task A_body_that_cannot_go_on_is_cut_off_and_not_ended()
    {
        var source = new ScriptedSource("items") { EndError = new FeedIdentityChangedException("other") };
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1)));
        await using var server = await StartAsync(source);
        using var client = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(new Uri(server.Uri, "items"), Cancel));
    }

    [Fact]
    public async Task What_a_source_refuses_has_a_status_of_its_own()
    {
        var source = new ScriptedSource("items");
        await using var server = await StartAsync(source);
        using var client = new HttpClient();
        foreach (
            var (error, status, retry) in ((Exception, int, int?)[])
                [
                    (new FeedIdentityChangedException("other"), 409, null),
                    (new FeedBehindException(9, 5, TimeSpan.FromSeconds(3)), 503, 3),
                    (new FeedCursorExpiredException(1, 5), 410, null),
                    (new FeedUnavailableException("db secret", TimeSpan.FromMilliseconds(5)), 503, 1),
                ]
        )
        {
            source.OpenError = error;
            using var response = await client.GetAsync(new Uri(server.Uri, "items?since=4"), Cancel);
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(retry, response.Headers.RetryAfter?.Delta?.TotalSeconds);
            if (status == 409)
                Assert.Equal("other", response.Headers.GetValues("Lockstep-Feed").Single());
            Assert.DoesNotContain("secret", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_filter_is_part_of_the_identity()
    {
        var source = new ScriptedSource("items");
        await using var server = await StartAsync(source);
        using var client = new HttpClient();
        async Task<string> AskAsync(string path, string? identity)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
            if (identity is not null)
                request.Headers.Add("Lockstep-Feed", identity);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
            return response.Headers.GetValues("Lockstep-Feed").Single();
        }

        var filtered = await AskAsync("items?where=a=1", null);
        Assert.StartsWith("source-1+", filtered, StringComparison.Ordinal);
        await AskAsync("items?where=a=1&since=5", filtered);
        Assert.Equal("source-1", source.Asked!.Identity);
        foreach (
            var (path, identity) in ((string, string)[])
                [("items?where=a=2&since=5", filtered), ("items?since=5", filtered), ("items?where=a=1&since=5", "source-1")]
        )
        {
            await AskAsync(path, identity);
            Assert.NotEqual("source-1", source.Asked.Identity);
        }
    }

    [Fact]
    public async Task A_filtered_client_gets_what_fits_and_hears_what_no_longer_does()
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(
            ScriptedSource.Chunk(
                FeedChunkKind.SnapshotRows,
                0,
                ScriptedSource.Row(1, ",\"a\":1,\"b\":\"x\""),
                ScriptedSource.Row(2, ",\"a\":2,\"b\":\"x\"")
            )
        );
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotCompleted, 7));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 9, ScriptedSource.Row(1, ",\"a\":3,\"b\":\"y\"")));
        await using var server = await StartAsync(source);
        var lines = await LinesAsync(server, "items?columns=b&where=a<2&where=b!=z", 4);
        Assert.Equal("""{"txid":1,"current_xmin":9,"since":1,"deleted":false,"data":{"id":1,"b":"x"}}""", lines[0]);
        Assert.Contains("snapshot_completed", lines[1], StringComparison.Ordinal);
        Assert.Equal("""{"txid":1,"current_xmin":9,"since":1,"deleted":true,"data":{"id":1}}""", lines[2]);
    }

    [Fact]
    public async Task Pages_are_linked_can_be_cached_and_end_with_the_completed_row()
    {
        await using var server = await StartAsync(new ScriptedSource("items"));
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false });
        using var entry = await client.GetAsync(new Uri(server.Uri, "items/pages"), Cancel);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, entry.StatusCode);
        var first = new Uri(server.Uri, entry.Headers.Location!);
        using var page = await client.GetAsync(first, Cancel);
        Assert.Equal(ScriptedSource.Row(1) + "\n", await page.Content.ReadAsStringAsync(Cancel));
        Assert.Equal("public, max-age=600", page.Headers.CacheControl!.ToString());
        using var again = new HttpRequestMessage(HttpMethod.Get, first);
        again.Headers.IfNoneMatch.Add(page.Headers.ETag!);
        using var unchanged = await client.SendAsync(again, Cancel);
        Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);

        var link = page.Headers.GetValues("Link").Single();
        Assert.EndsWith("; rel=\"next\"", link, StringComparison.Ordinal);
        using var last = await client.GetAsync(new Uri(server.Uri, link[1..link.IndexOf('>', StringComparison.Ordinal)]), Cancel);
        var lines = (await last.Content.ReadAsStringAsync(Cancel)).Split('\n');
        Assert.Equal(ScriptedSource.Row(2), lines[0]);
        Assert.Contains("\"snapshot_completed\"", lines[1], StringComparison.Ordinal);
        Assert.Contains("\"since\":9", lines[1], StringComparison.Ordinal);
        Assert.False(last.Headers.Contains("Link"));

        using var other = await client.GetAsync(new Uri(server.Uri, "items/pages?feed=other&horizon=9"), Cancel);
        Assert.Equal(HttpStatusCode.Conflict, other.StatusCode);
    }

    [Theory]
    [InlineData(null, null, 401)]
    [InlineData("Basic", "ann:right", 200)]
    [InlineData("Basic", "ann:wrong", 401)]
    [InlineData("Basic", "bob:pass:word", 403)]
    [InlineData("Bearer", "token", 200)]
    [InlineData("bearer", "token", 200)]
    [InlineData("Bearer", "ann:right", 401)]
    [InlineData("Basic", "token", 401)]
    [InlineData("Digest", "token", 401)]
    public async Task A_credential_opens_what_it_is_for(string? scheme, string? secret, int status)
    {
        await using var server = await StartAsync(
            new ScriptedSource("items"),
            FeedCredential.Basic("ann", "right"),
            FeedCredential.Basic("bob", "pass:word", ["others"]),
            FeedCredential.Bearer("token")
        );
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, "items"));
        if (scheme is not null)
        {
            var parameter = scheme == "Basic" ? Convert.ToBase64String(Encoding.UTF8.GetBytes(secret!)) : secret;
            request.Headers.Authorization = new AuthenticationHeaderValue(scheme, parameter);
        }

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(status == 401 ? ["Basic", "Bearer"] : [], response.Headers.WwwAuthenticate.Select(w => w.Scheme));
    }

    [Fact]
    public async Task Health_is_told_to_everybody_and_a_feed_can_only_be_read()
    {
        var source = new ScriptedSource("items");
        await using (var server = await StartAsync(source, FeedCredential.Bearer("token")))
        {
            using var client = new HttpClient();
            Assert.Equal("ok\n", await client.GetStringAsync(new Uri(server.Uri, "healthz"), Cancel));
            source.OpenError = new FeedUnavailableException("db", TimeSpan.FromSeconds(1));
            using var sick = await client.GetAsync(new Uri(server.Uri, "healthz"), Cancel);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, sick.StatusCode);
            using var nameless = await client.GetAsync(new Uri(server.Uri, "items2"), Cancel);
            using var named = await client.PostAsync(new Uri(server.Uri, "items"), null, Cancel);
            Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (nameless.StatusCode, named.StatusCode));
            Assert.Equal(named.Headers.WwwAuthenticate, nameless.Headers.WwwAuthenticate);
            Assert.Equal(await named.Content.ReadAsStringAsync(Cancel), await nameless.Content.ReadAsStringAsync(Cancel));

            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "token");
            using var post = await client.PostAsync(new Uri(server.Uri, "items"), null, Cancel);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
            using var unknown = await client.GetAsync(new Uri(server.Uri, "items2"), Cancel);
            Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        }

        Assert.True(source.Disposed);
    }

    [Fact]
    public async Task It_speaks_tls_with_a_certificate()
    {
        using var key = ECDsa.Create();
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        await using var server = await FeedServer.StartAsync(
            [new ScriptedSource("items")],
            new FeedServerOptions { Certificate = certificate },
            cancellationToken: Cancel
        );
        using var client = new HttpClient(
            new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, c, _, _) => c!.Thumbprint == certificate.Thumbprint }
        );
        Assert.Equal("https", server.Uri.Scheme);
        Assert.Equal("ok\n", await client.GetStringAsync(new Uri(server.Uri, "healthz"), Cancel));
    }

    private static Task<FeedServer> StartAsync(IFeedSource source, params FeedCredential[] credentials) =>
        FeedServer.StartAsync([source], new FeedServerOptions { Credentials = credentials }, new ManualTimeProvider(Now), Cancel);

    private static async Task<List<string>> LinesAsync(FeedServer server, string path, int count)
    {
        using var client = new HttpClient();
        using var response = await client.GetAsync(new Uri(server.Uri, path), HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var lines = new List<string>();
        while (lines.Count < count)
            lines.Add((await reader.ReadLineAsync(Cancel))!);
        return lines;
    }
}
