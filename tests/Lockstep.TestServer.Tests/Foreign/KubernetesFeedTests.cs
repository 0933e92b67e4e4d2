using System.Text.Json.Nodes;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Foreign;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>A Kubernetes list and its watch.</summary>
public sealed class KubernetesFeedTests : DialectFeedTest
{
    private static string Names(JsonNode list) => string.Join(' ', list["items"]!.AsArray().Select(item => item!["metadata"]!["name"]));

    private static string Event(string line)
    {
        var json = JsonNode.Parse(line)!;
        return $"{json["type"]} {json["object"]!["metadata"]!["name"]} {json["object"]!["metadata"]!["resourceVersion"]}".Replace(
            "  ",
            " "
        );
    }

    [Fact]
    public async Task All_pages_of_a_list_show_one_version()
    {
        await StartAsync(FeedKind.Kubernetes, null, """{"id":"a"}""", """{"id":"b"}""", """{"metadata":{"name":"c"}}""");

        var first = (await GetAsync("?limit=2")).Json;
        Server.RemoveRecord("""{"id":"c"}""");
        Server.AddRecord("""{"id":"d"}""");
        var second = (await GetAsync($"?limit=2&continue={first["metadata"]!["continue"]}")).Json;

        Assert.Equal(("a b", "c"), (Names(first), Names(second)));
        Assert.Equal(("PodList", "v1", "3"), ($"{first["kind"]}", $"{first["apiVersion"]}", $"{second["metadata"]!["resourceVersion"]}"));
        Assert.Null(first["items"]![0]!["kind"]);
        Assert.Equal("a b d", Names((await GetAsync()).Json));
    }

    [Fact]
    public async Task A_watch_tells_what_happens_from_a_version_on()
    {
        await StartAsync(FeedKind.Kubernetes, null, """{"id":"a"}""");
        Server.AddRecord("""{"id":"a","n":1}""");
        Server.RemoveRecord("""{"id":"a"}""");
        Server.AddRecord("""{"id":"a","n":2}""");

        var lines = await LinesAsync("?watch=true&resourceVersion=1&timeoutSeconds=1&allowWatchBookmarks=true", 9);

        Assert.Equal(["MODIFIED a 2", "DELETED a 3", "ADDED a 4", "BOOKMARK 4"], lines.Select(Event));
        Assert.NotEqual(
            JsonNode.Parse(lines[1])!["object"]!["metadata"]!["uid"]!.ToString(),
            JsonNode.Parse(lines[2])!["object"]!["metadata"]!["uid"]!.ToString()
        );
        Assert.Equal("Pod", $"{JsonNode.Parse(lines[2])!["object"]!["kind"]}");
    }

    [Fact]
    public async Task A_watch_without_a_version_begins_with_what_is_there()
    {
        await StartAsync(FeedKind.Kubernetes, null, """{"id":"a"}""", """{"id":"b"}""");
        Server.AddRecord("""{"id":"a","n":1}""");

        Assert.Equal(["ADDED b 2", "ADDED a 3"], (await LinesAsync("?watch=1&timeoutSeconds=1", 9)).Select(Event));
    }

    [Fact]
    public async Task A_heartbeat_is_a_bookmark_and_a_version_from_the_future_is_answered_by_silence()
    {
        await StartAsync(FeedKind.Kubernetes, null, """{"id":"a"}""");
        var beats = LinesAsync("?watch=true&resourceVersion=1&allowWatchBookmarks=true", 1);
        await Server.WaitForDeliveryAsync(Cancel);
        await Server.WaitForClientsAsync(1, Cancel);
        Server.SendHeartbeat();

        Assert.Equal(["BOOKMARK 1"], (await beats).Select(Event));
        Assert.Empty(await LinesAsync("?watch=true&resourceVersion=9&allowWatchBookmarks=true&timeoutSeconds=1", 9));
    }

    [Theory]
    [InlineData("?watch=true&resourceVersion=1", ExpiryForm.Auto, 200, "ERROR")]
    [InlineData("?watch=true&resourceVersion=1", ExpiryForm.Gone, 410, "Expired")]
    [InlineData("?limit=1&continue=Mi4x", ExpiryForm.Auto, 410, "Expired")]
    [InlineData("?watch=true&resourceVersion=x", null, 500, "InternalError")]
    [InlineData("?continue=x", null, 400, "BadRequest")]
    [InlineData("?resourceVersion=99", null, 504, "Timeout")]
    [InlineData("?labelSelector=a%3Db", null, 400, "BadRequest")]
    public async Task It_refuses_as_an_apiserver_does(string target, ExpiryForm? form, int status, string reason)
    {
        await StartAsync(FeedKind.Kubernetes, null, """{"id":"a"}""", """{"id":"b"}""");
        if (form is { } wanted)
            Server.Faults.Add(new CursorExpiredFault { As = wanted });

        var answer = await GetAsync(target);

        Assert.Equal((status, reason), (answer.Status, $"{answer.Json["reason"] ?? answer.Json["type"]}"));
        if (target.Contains("continue=M", StringComparison.Ordinal))
        {
            Server.Faults.Clear();
            Assert.Equal("b", Names((await GetAsync($"?continue={answer.Json["metadata"]!["continue"]}")).Json));
        }
    }

    [Fact]
    public async Task The_kind_is_that_of_the_path()
    {
        await StartAsync(FeedKind.Kubernetes, o => o.Path = "/apis/networking.k8s.io/v1/ingresses", """{"id":"a"}""");

        var list = (await GetAsync()).Json;

        Assert.Equal(("IngressList", "networking.k8s.io/v1"), ($"{list["kind"]}", $"{list["apiVersion"]}"));
    }
}
