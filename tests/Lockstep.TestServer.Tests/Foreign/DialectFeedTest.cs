using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Foreign;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>What tests of the feeds in other servers' dialects share: a server, and a client that reads the wire.</summary>
public abstract class DialectFeedTest : IAsyncDisposable
{
    private readonly HttpClient _client = new(new HttpClientHandler { AllowAutoRedirect = false });
    private LockstepTestServer? _server;

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private protected LockstepTestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
            await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected async Task StartAsync(FeedKind feed, Action<DialectFeedOptions>? configure, params string[] records)
    {
        var options = new TestServerOptions
        {
            Port = 0,
            Feed = feed,
            Records = records,
        };
        options.DialectFeed.LongestWait = TimeSpan.FromMilliseconds(50);
        configure?.Invoke(options.DialectFeed);
        _server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancel);
    }

    /// <summary>Requests a path of the server, or an absolute URI.</summary>
    private protected async Task<Answer> GetAsync(string target = "", params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Server.FeedUri, target));
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _client.SendAsync(request, Cancel);
        var text = await response.Content.ReadAsStringAsync(Cancel);
        return new Answer((int)response.StatusCode, response.Headers, text);
    }

    /// <summary>The first lines of an endless answer.</summary>
    private protected async Task<List<string>> LinesAsync(string target, int count, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Server.FeedUri, target));
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        List<string> lines = [];
        while (lines.Count < count && await reader.ReadLineAsync(Cancel) is { } line)
            lines.Add(line);
        return lines;
    }

    private protected sealed record Answer(int Status, HttpResponseHeaders Headers, string Text)
    {
        public JsonNode Json => JsonNode.Parse(Text)!;

        public string? Header(string name) => Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;
    }
}
