using System.Net;
using System.Net.WebSockets;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Tests.Gossip;

public sealed class GossipEndpointTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/")]
    [InlineData("/m")]
    public async Task The_only_model_is_found_at_the_root_and_under_its_name(string path)
    {
        await using LockstepModel here = new();
        await using LockstepModel there = new();
        here.Set("here", 1);
        there.Set("there", 2);
        await using var endpoint = await StartAsync(Named("m", here));
        Assert.Equal("ws", endpoint.Uri.Scheme);
        await SyncOnceAsync(there, new Uri(endpoint.Uri, path));
        Assert.Equal(1, there["here"]?.GetInt32());
        Assert.Equal(2, here["there"]?.GetInt32());
    }

    [Theory]
    [InlineData("stock")]
    [InlineData("a b/c%2F+ü")]
    public async Task Several_models_are_told_apart_by_the_path(string name)
    {
        await using LockstepModel first = new();
        await using LockstepModel second = new();
        await using LockstepModel visitor = new();
        first.Set("name", "first");
        second.Set("name", "second");
        await using var endpoint = await StartAsync(Named("first", first), Named(name, second));
        await SyncOnceAsync(visitor, new Uri(endpoint.Uri + Uri.EscapeDataString(name)));
        Assert.Equal("second", visitor["name"]?.GetString());
        Assert.Equal(["name"], visitor.Keys);
    }

    [Fact]
    public async Task What_is_set_later_goes_over_the_open_stream_both_ways()
    {
        await using LockstepModel here = new();
        await using LockstepModel there = new();
        await using var endpoint = await StartAsync(Named("m", here));
        await using GossipConnector connector = new(there, endpoint.Uri);
        await connector.WaitForSyncAsync(Cancelled);
        var atHere = here.WatchAsync(includeExisting: true, Cancelled).FirstAsync(Cancelled);
        there.Set("up", "text with a \n line");
        Assert.Equal("text with a \n line", (await atHere).Value.GetString());
        var atThere = there.WatchAsync(includeExisting: true, Cancelled).FirstAsync(change => change.Key == "down", Cancelled);
        here.Set("down", 2);
        Assert.Equal(2, (await atThere).Value.GetInt32());
    }

    [Fact]
    public async Task Who_asks_for_what_is_not_there_is_answered_in_HTTP()
    {
        await using LockstepModel model = new();
        await using var endpoint = await StartAsync(Named("m", model));
        using HttpClient http = new();
        var root = new UriBuilder(endpoint.Uri) { Scheme = "http" }.Uri;
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri(root, "/other"), Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await http.GetAsync(new Uri(root, "/m"), Cancelled)).StatusCode);
        var refused = await Assert.ThrowsAsync<GossipUnreachableException>(() => SyncOnceAsync(model, new Uri(endpoint.Uri, "/other")));
        Assert.Contains("404", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://elsewhere.example", false)]
    [InlineData("null", false)]
    [InlineData("https://friend.example", true)]
    [InlineData("", true)]
    public async Task A_web_page_of_another_origin_is_refused_unless_allowed(string origin, bool allowed)
    {
        await using LockstepModel model = new();
        await using var endpoint = await GossipEndpoint.StartAsync(
            new HttpEndpoint { Site = new SiteRules { AllowedOrigins = ["https://friend.example"] } },
            new GossipHub(Named("m", model)),
            cancellationToken: Cancelled
        );
        using ClientWebSocket socket = new();
        if (origin.Length == 0)
            origin = "http://" + endpoint.Uri.Authority;
        socket.Options.SetRequestHeader("Origin", origin);
        socket.Options.CollectHttpResponseDetails = true;
        if (allowed)
        {
            await socket.ConnectAsync(endpoint.Uri, Cancelled);
            Assert.Equal(WebSocketState.Open, socket.State);
        }
        else
        {
            await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(endpoint.Uri, Cancelled));
            Assert.Equal(HttpStatusCode.Forbidden, socket.HttpStatusCode);
        }
    }

    [Fact]
    public async Task A_web_page_whose_name_resolves_to_this_machine_is_refused()
    {
        await using LockstepModel model = new();
        await using var endpoint = await StartAsync(Named("m", model));
        using ClientWebSocket socket = new();
        socket.Options.SetRequestHeader("Host", "rebound.example");
        socket.Options.SetRequestHeader("Origin", "http://rebound.example");
        socket.Options.CollectHttpResponseDetails = true;
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(endpoint.Uri, Cancelled));
        Assert.Equal(HttpStatusCode.Forbidden, socket.HttpStatusCode);
    }

    [Fact]
    public async Task A_peer_that_speaks_nonsense_is_reported_and_the_model_goes_on()
    {
        await using LockstepModel model = new();
        TaskCompletionSource<Exception> failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var endpoint = await StartAsync(
            new GossipEndpointOptions { ConnectionFailed = (_, error) => failed.TrySetResult(error) },
            Named("m", model)
        );
        using ClientWebSocket socket = new();
        await socket.ConnectAsync(endpoint.Uri, Cancelled);
        await socket.SendAsync("nonsense\n"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Cancelled);
        Assert.IsType<GossipProtocolException>(await failed.Task.WaitAsync(Cancelled));
        await using LockstepModel visitor = new();
        model.Set("still", "there");
        await SyncOnceAsync(visitor, endpoint.Uri);
        Assert.Equal(["still"], visitor.Keys);
    }

    [Fact]
    public async Task Disposing_it_ends_its_streams_and_leaves_the_model()
    {
        await using LockstepModel here = new();
        await using LockstepModel there = new();
        var endpoint = await StartAsync(Named("m", here));
        await using GossipConnector connector = new(there, endpoint.Uri, new GossipConnectorOptions { MaximumRetryCount = 0 });
        await connector.WaitForSyncAsync(Cancelled);
        await endpoint.DisposeAsync();
        await endpoint.DisposeAsync();
        Assert.Equal(0, here.StreamCount);
        await Assert.ThrowsAsync<GossipUnreachableException>(() => connector.Completion.WaitAsync(Cancelled));
        here.Set("still", 1);
    }

    private static Task<GossipEndpoint> StartAsync(params KeyValuePair<string, GossipNode>[] nodes) =>
        StartAsync(new GossipEndpointOptions(), nodes);

    private static Task<GossipEndpoint> StartAsync(GossipEndpointOptions options, params KeyValuePair<string, GossipNode>[] nodes) =>
        GossipEndpoint.StartAsync(new HttpEndpoint(), new GossipHub(nodes), options, Cancelled);

    private static KeyValuePair<string, GossipNode> Named(string name, GossipNode node) => new(name, node);

    private static async Task SyncOnceAsync(GossipNode node, Uri uri)
    {
        await using GossipConnector connector = new(
            node,
            uri,
            new GossipConnectorOptions
            {
                Stream = new GossipStreamOptions { Tail = false },
                MaximumRetryCount = 0,
            }
        );
        await connector.Completion.WaitAsync(Cancelled);
    }
}
