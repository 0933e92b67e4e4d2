using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving.Tests;

/// <summary>Only pages of listed sites may read the answers.</summary>
public sealed class CrossOriginTests
{
    private const string Site = "https://app.example";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", "/items/pages?feed=source-1&horizon=9", 200)]
    [InlineData("GET", "/items?since=x", 400)]
    [InlineData("POST", "/items", 405)]
    [InlineData("GET", "/missing", 401)]
    public async Task A_listed_page_sees_every_answer_and_what_it_needs_of_the_head(string method, string path, int status)
    {
        await using var server = await StartAsync([Site + "/"], FeedCredential.Bearer("secret"));
        var authorization = status == 401 ? "" : "Authorization: Bearer secret\r\n";
        var head = await AskAsync(server, $"{method} {path} HTTP/1.1\r\nOrigin: {Site}\r\n{authorization}Content-Length: 0\r\n");
        Assert.StartsWith($"HTTP/1.1 {status}", head, StringComparison.Ordinal);
        Assert.Contains($"Access-Control-Allow-Origin: {Site}\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Lockstep-Feed", Value(head, "Access-Control-Expose-Headers"), StringComparison.Ordinal);
        Assert.Contains("Origin", Value(head, "Vary"), StringComparison.Ordinal);
        Assert.DoesNotContain("Allow-Credentials", head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_browser_that_asks_beforehand_is_told_without_a_credential()
    {
        await using var server = await StartAsync([Site], FeedCredential.Bearer("secret"));
        var head = await AskAsync(
            server,
            $"OPTIONS /items HTTP/1.1\r\nOrigin: {Site}\r\nAccess-Control-Request-Method: GET\r\n"
                + $"Access-Control-Request-Headers: authorization,lockstep-feed\r\n"
        );
        Assert.StartsWith("HTTP/1.1 204", head, StringComparison.Ordinal);
        Assert.Equal(Site, Value(head, "Access-Control-Allow-Origin"));
        Assert.Equal("GET", Value(head, "Access-Control-Allow-Methods"));
        Assert.Equal("authorization,lockstep-feed", Value(head, "Access-Control-Allow-Headers"));
        Assert.NotEqual("", Value(head, "Access-Control-Max-Age"));
    }

    [Theory]
    [InlineData("OPTIONS", "https://app.example.evil.example")]
    [InlineData("OPTIONS", "null")]
    [InlineData("GET", "http://app.example")]
    public async Task Other_pages_are_refused_and_told_nothing(string method, string origin)
    {
        await using var server = await StartAsync([Site]);
        var head = await AskAsync(server, $"{method} /items HTTP/1.1\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: GET\r\n");
        Assert.StartsWith("HTTP/1.1 403", head, StringComparison.Ordinal);
        Assert.DoesNotContain("Access-Control", head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cache_is_told_that_answers_differ_by_who_asks_also_where_nobody_did()
    {
        await using var server = await StartAsync([Site]);
        const string Page = "GET /items/pages?feed=source-1&horizon=9 HTTP/1.1\r\n";
        var head = await AskAsync(server, Page);
        Assert.Equal("Origin", Value(head, "Vary"));
        Assert.DoesNotContain("Access-Control", head, StringComparison.Ordinal);
        await using var closed = await StartAsync([]);
        Assert.Equal("", Value(await AskAsync(closed, Page), "Vary"));
    }

    private static Task<FeedServer> StartAsync(string[] origins, params FeedCredential[] credentials) =>
        FeedServer.StartAsync(
            [new ScriptedSource("items")],
            new FeedServerOptions { AllowedOrigins = origins, Credentials = credentials },
            cancellationToken: Cancel
        );

    private static string Value(string head, string name) =>
        head.Split("\r\n").FirstOrDefault(l => l.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..] ?? "";

    /// <summary>The head of the answer.</summary>
    private static async Task<string> AskAsync(FeedServer server, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{request}Host: 127.0.0.1\r\n\r\n"), Cancel);
        var head = new StringBuilder();
        var buffer = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(buffer, Cancel) > 0)
            head.Append((char)buffer[0]);
        return head.ToString();
    }
}
