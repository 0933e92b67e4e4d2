using System.Net;
using Lockstep.Serving.Hosting;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Tests;

public sealed class SiteRulesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1:80", true)]
    [InlineData("127.0.0.1", "10.1.2.3", true)]
    [InlineData("127.0.0.1", "[::1]:4567", true)]
    [InlineData("127.0.0.1", "", true)]
    [InlineData("127.0.0.1", "localhost:4567", true)]
    [InlineData("::1", "LOCALHOST", true)]
    [InlineData("127.0.0.1", "app.localhost", true)]
    [InlineData("127.0.0.1", "rebound.example", false)]
    [InlineData("127.0.0.1", "localhost.rebound.example", false)]
    [InlineData("127.0.0.1", "127.0.0.1.rebound.example", false)]
    [InlineData("127.0.0.1", "notlocalhost", false)]
    [InlineData("0.0.0.0", "10.1.2.3:4567", true)]
    [InlineData("0.0.0.0", "localhost", false)]
    [InlineData("0.0.0.0", "rebound.example", false)]
    [InlineData("0.0.0.0", "Feeds.Example:4567", true)]
    [InlineData("127.0.0.1", "feeds.example", true)]
    public void A_name_passes_that_is_an_address_loopbacks_own_or_listed(string listensOn, string host, bool passes)
    {
        var rules = new SiteRules { AllowedHosts = ["feeds.example"] }.Checked();
        Assert.Equal(passes, rules.Refusal(Request(host), IPAddress.Parse(listensOn)) is null);
    }

    [Theory]
    [InlineData("127.0.0.1", false, false)]
    [InlineData("0.0.0.0", false, true)]
    [InlineData("0.0.0.0", true, false)]
    public void Where_credentials_are_needed_any_name_passes_beyond_loopback_until_one_is_listed(string address, bool listed, bool passes)
    {
        var rules = new SiteRules { AnyNameBeyondLoopback = true, AllowedHosts = listed ? ["feeds.example"] : [] };
        Assert.Equal(passes, rules.Refusal(Request("other.example"), IPAddress.Parse(address)) is null);
    }

    [Theory]
    [InlineData("http://10.1.2.3:80", true)]
    [InlineData("http://10.1.2.3", true)]
    [InlineData("https://app.example", true)]
    [InlineData("http://app.example", false)]
    [InlineData("https://app.example.evil.example", false)]
    [InlineData("http://10.1.2.3:81", false)]
    [InlineData("null", false)]
    public void A_page_of_another_origin_is_refused_unless_listed(string origin, bool passes)
    {
        var request = Request("10.1.2.3");
        request.Headers.Origin = origin;
        Assert.Equal(
            passes,
            new SiteRules { AllowedOrigins = ["https://app.example/"] }
                .Checked()
                .Refusal(request, IPAddress.Any)
                is null
        );
    }

    [Fact]
    public void A_plain_page_is_not_of_a_site_that_speaks_TLS()
    {
        var request = Request("10.1.2.3");
        request.Scheme = "https";
        request.Headers.Origin = "http://10.1.2.3";
        Assert.NotNull(new SiteRules().Refusal(request, IPAddress.Any));
    }

    [Theory]
    [InlineData("http://feeds.example", "https://app.example")]
    [InlineData("feeds.example:80", "https://app.example")]
    [InlineData("feeds.example", "app.example")]
    [InlineData("feeds.example", "https://app.example/page")]
    public void What_is_no_name_or_origin_is_refused_at_the_start(string host, string origin) =>
        Assert.Throws<ArgumentException>(() => new SiteRules { AllowedHosts = [host], AllowedOrigins = [origin] }.Checked());

    [Theory]
    [InlineData("items?since=0", "Host", "rebound.example", 403)]
    [InlineData("items/pages", "Host", "rebound.example", 403)]
    [InlineData("items?since=0", "Origin", "http://rebound.example", 403)]
    [InlineData("items?since=0", "Host", "localhost", 200)]
    public async Task A_feed_without_credentials_is_not_read_by_a_page_whose_name_resolves_to_this_machine(
        string path,
        string header,
        string value,
        int status
    )
    {
        await using var server = await FeedServer.StartAsync([new ScriptedSource("items")], new FeedServerOptions(), null, Cancel);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
        request.Headers.TryAddWithoutValidation(header, value);
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("GET /items?since=0 HTTP/1.1\r\nHost:\r\n\r\n", 400)]
    [InlineData("GET / HTTP/1.1\r\nHost: \r\n\r\n", 400)]
    [InlineData("GET /livez HTTP/1.1\r\nHost:\r\n\r\n", 200)]
    [InlineData("GET /items?since=0 HTTP/1.0\r\n\r\n", 200)]
    public async Task An_empty_Host_is_a_bad_request(string request, int status)
    {
        await using var server = await FeedServer.StartAsync([new ScriptedSource("items")], new FeedServerOptions(), null, Cancel);
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream);
        var line = await reader.ReadLineAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        Assert.Contains($" {status} ", line, StringComparison.Ordinal);
    }

    private static HttpRequest Request(string host)
    {
        var request = new DefaultHttpContext().Request;
        request.Scheme = "http";
        request.Host = new HostString(host);
        return request;
    }
}
