using System.Net;
using System.Text;
using System.Text.Json;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Control;

public sealed class ControlPathTests : IAsyncLifetime
{
    private readonly HttpClient _http = new();
    private LockstepTestServer _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await TestServers.StartScriptedAsync(Cancelled, feed => feed.Endless = false);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Faults_are_added_listed_and_removed()
    {
        var added = await SendAsync(HttpMethod.Post, "faults", """{"kind":"cut","atByte":100,"request":2,"id":"x"}""");
        Assert.Equal("x", added.GetProperty("id").GetString());
        Assert.Equal("Cut", added.GetProperty("kind").GetString());
        Assert.Equal(100, added.GetProperty("parameters").GetProperty("AtByte").GetInt32());
        Assert.Equal(
            2,
            (await SendAsync(HttpMethod.Post, "faults", """[{"kind":"Stall","duration":1.5},{"kind":"Drip"}]""")).GetArrayLength()
        );
        var listed = await SendAsync(HttpMethod.Get, "faults");
        Assert.Equal(3, listed.GetArrayLength());
        Assert.Equal(1.5, listed[1].GetProperty("parameters").GetProperty("Duration").GetDouble());
        Assert.Equal(
            "Cut the connection (FIN) after byte 100 of the body, request 2",
            (await SendAsync(HttpMethod.Get, "faults/x")).GetProperty("description").GetString()
        );
        Assert.Equal(2, (await SendAsync(HttpMethod.Delete, "faults/x")).GetArrayLength());
        Assert.Equal(0, (await SendAsync(HttpMethod.Delete, "faults")).GetArrayLength());
        Assert.Empty(_server.Faults);
    }

    [Fact]
    public async Task An_array_of_faults_is_added_whole_or_not_at_all()
    {
        await SendAsync(HttpMethod.Post, "faults", """[{"kind":"Cut"},{"kind":"Cutt"}]""", HttpStatusCode.BadRequest);
        Assert.Empty(_server.Faults);
    }

    [Fact]
    public async Task Records_come_as_lines_or_as_an_array()
    {
        await SendAsync(HttpMethod.Post, "records", "{\"id\":1}\n{\"id\":2}\n");
        Assert.Equal(3, (await SendAsync(HttpMethod.Post, "records", """[{"id":3}]""")).GetProperty("records").GetInt32());
        Assert.Equal("{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n", await _http.GetStringAsync(_server.FeedUri, Cancelled));
    }

    [Fact]
    public async Task Requests_and_state_can_be_asserted_on_and_leave_no_trace_themselves()
    {
        await _http.GetStringAsync(new Uri(_server.FeedUri, "7"), Cancelled);
        await _http.GetStringAsync(new Uri(_server.FeedUri, "8"), Cancelled);
        var requests = await SendAsync(HttpMethod.Get, "requests?after=1");
        Assert.Equal(1, requests.GetArrayLength());
        Assert.Equal("8", requests[0].GetProperty("cursor").GetString());
        Assert.Equal(200, requests[0].GetProperty("status").GetInt32());
        var state = await SendAsync(HttpMethod.Get, "state");
        Assert.Equal("Scripted", state.GetProperty("feed").GetString());
        Assert.Equal(2, state.GetProperty("requests").GetInt32());
        Assert.Equal(_server.FeedUri.ToString(), state.GetProperty("uri").GetString());
    }

    [Fact]
    public async Task A_scenario_runs_and_tells_its_state()
    {
        await SendAsync(HttpMethod.Post, "scenario", """[{"send":{"id":1}},{"waitForRequests":1}]""");
        await _http.GetStringAsync(_server.FeedUri, Cancelled);
        await _server.CurrentScenario!.Completion;
        var state = await SendAsync(HttpMethod.Get, "scenario");
        Assert.Equal("Completed", state.GetProperty("state").GetString());
        Assert.Equal(2, state.GetProperty("steps").GetInt32());
    }

    [Fact]
    public async Task Kinds_are_described()
    {
        var kinds = await SendAsync(HttpMethod.Get, "kinds");
        var cut = kinds.EnumerateArray().Single(kind => kind.GetProperty("name").GetString() == "Cut");
        Assert.Contains(
            cut.GetProperty("parameters").EnumerateArray(),
            parameter => parameter.GetProperty("type").GetString() == "Fin|Reset"
        );
    }

    [Theory]
    [InlineData("GET", "nothing", "", HttpStatusCode.NotFound, "POST /_lockstep/faults")]
    [InlineData("PUT", "faults", "{}", HttpStatusCode.MethodNotAllowed, "GET and POST and DELETE")]
    [InlineData("POST", "faults", "{", HttpStatusCode.BadRequest, "")]
    [InlineData("POST", "faults", """{"kind":"Cutt"}""", HttpStatusCode.BadRequest, "There is no fault Cutt")]
    [InlineData("DELETE", "faults/x", "", HttpStatusCode.NotFound, "There is no fault x")]
    [InlineData("POST", "records", "[1]", HttpStatusCode.BadRequest, "JSON object")]
    [InlineData("POST", "close?how=gently", "", HttpStatusCode.BadRequest, "Fin, Reset")]
    [InlineData("POST", "scenario", "[{}]", HttpStatusCode.BadRequest, "Step 1")]
    public async Task What_is_wrong_is_explained(string method, string path, string body, HttpStatusCode status, string advice)
    {
        var error = await SendAsync(new HttpMethod(method), path, body, status);
        Assert.Contains(advice, error.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_feed_takes_no_records()
    {
        await using var finite = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        using StringContent body = new("{}");
        Assert.Equal(
            HttpStatusCode.Conflict,
            (await _http.PostAsync(new Uri(finite.Uri, "_lockstep/records"), body, Cancelled)).StatusCode
        );
    }

    [Fact]
    public async Task The_newest_records_come_first_and_totals_count_what_was_sent()
    {
        _server.AddRecords(["{\"id\":1}", "{\"id\":2}", "{\"id\":3}"]);
        var latest = await SendAsync(HttpMethod.Get, "latest?count=2");
        Assert.Equal(["{\"id\":3}", "{\"id\":2}"], latest.EnumerateArray().Select(record => record.GetString()));

        await _http.GetStringAsync(_server.FeedUri, Cancelled);
        await _server.EndOfOnlyRequestAsync();
        var state = await SendAsync(HttpMethod.Get, "state");
        Assert.Equal(3, state.GetProperty("sent").GetProperty("records").GetInt64());
        Assert.Equal(27, state.GetProperty("sent").GetProperty("bytes").GetInt64());
        Assert.Equal(0, state.GetProperty("connected").GetArrayLength());
    }

    [Fact]
    public async Task The_status_page_is_there_and_runs_nothing_but_its_own()
    {
        using var page = await _http.GetAsync(new Uri(_server.Uri, "_lockstep"), Cancelled);
        Assert.Equal(new Uri(_server.Uri, "_lockstep/"), page.RequestMessage!.RequestUri);
        Assert.Equal("text/html", page.Content.Headers.ContentType!.MediaType);
        Assert.StartsWith("default-src 'self';", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        var text = await page.Content.ReadAsStringAsync(Cancelled);
        Assert.DoesNotContain("http", text, StringComparison.Ordinal);
        foreach (var file in new[] { "status.css", "status.js" })
        {
            Assert.Contains($"\"{file}\"", text, StringComparison.Ordinal);
            Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(_server.Uri, "_lockstep/" + file), Cancelled)).StatusCode);
        }
    }

    [Theory]
    [InlineData("http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("http://127.0.0.1:1", HttpStatusCode.Forbidden)]
    [InlineData("own", HttpStatusCode.OK)]
    public async Task A_page_of_another_site_controls_nothing(string origin, HttpStatusCode expected)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri(_server.Uri, "_lockstep/faults"))
        {
            Content = new StringContent("{\"kind\":\"Cut\"}"),
        };
        request.Headers.Add("Origin", origin == "own" ? _server.Uri.GetLeftPart(UriPartial.Authority) : origin);
        Assert.Equal(expected, (await _http.SendAsync(request, Cancelled)).StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK ? 1 : 0, _server.Faults.Count);
    }

    [Theory]
    [InlineData("servers/0")]
    [InlineData("_lockstep/")]
    [InlineData("_lockstep/state")]
    [InlineData("_lockstep/faults")]
    public async Task A_page_whose_name_resolves_to_this_machine_reads_and_controls_nothing(string path)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, new Uri(_server.Uri, path));
        request.Headers.Host = "rebound.example:" + _server.Uri.Port;
        request.Headers.Add("Origin", "http://" + request.Headers.Host);
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains("rebound.example", await response.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_can_be_switched_off()
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Finite,
            ControlPath = false,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, (await _http.GetAsync(new Uri(server.Uri, "_lockstep/state"), Cancelled)).StatusCode);
    }

    private async Task<JsonElement> SendAsync(
        HttpMethod method,
        string path,
        string? body = null,
        HttpStatusCode expected = HttpStatusCode.OK
    )
    {
        using HttpRequestMessage request = new(method, new Uri(_server.Uri, "_lockstep/" + path));
        if (!string.IsNullOrEmpty(body))
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _http.SendAsync(request, Cancelled);
        Assert.Equal(expected, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancelled));
        return json.RootElement.Clone();
    }
}
