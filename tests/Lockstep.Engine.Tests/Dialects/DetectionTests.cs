using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>What a feed shows of its dialect: its address, the head of its answer, and the first bytes of its body.</summary>
public sealed class DetectionTests : DialectTest
{
    [Theory]
    [InlineData("https://graph.example/v1.0/users/delta", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/users/delta?$select=mail", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/users/microsoft.graph.delta", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/users/microsoft.graph.delta()", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/me/drive/items/1/delta()", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/me/drive/items/1/delta(token='latest')", "ODataDelta")]
    [InlineData("https://graph.example/v1.0/me/drive/items/1/delta%28%29", "ODataDelta")]
    [InlineData("http://couch.example:5984/db/_changes?include_docs=true", "CouchDb")]
    [InlineData("http://127.0.0.1:8001/api/v1/pods", "Kubernetes")]
    [InlineData("http://127.0.0.1:8001/apis/apps/v1/deployments", "Kubernetes")]
    [InlineData("http://127.0.0.1:8001/apis/apps/v1/namespaces/default/deployments?labelSelector=a", "Kubernetes")]
    [InlineData("http://electric.example:3000/v1/shape?table=items", "Shape")]
    [InlineData("http://electric.example:3000/v1/shape?offset=-1", null)]
    [InlineData("https://x.example/deltas", null)]
    [InlineData("https://x.example/delta/items", null)]
    [InlineData("https://x.example/api/v2/items", null)]
    [InlineData("https://x.example/api/v1", null)]
    [InlineData("https://x.example/", null)]
    public void An_address_suggests_a_dialect(string uri, string? dialect) => Assert.Equal(dialect, DialectDetection.ByUri(new Uri(uri)));

    [Theory]
    [InlineData("electric-handle: h-1", "Shape")]
    [InlineData("stream-next-offset: 0_5", "DurableStream")]
    [InlineData("Content-Type: text/event-stream", "EventStream")]
    [InlineData("Content-Type: text/event-stream; charset=utf-8", "EventStream")]
    [InlineData("Content-Type: application/json", null)]
    [InlineData("Lockstep-Feed: f1|electric-handle: h-1", null)]
    public void A_head_reveals_one(string head, string? dialect)
    {
        var headers = head.Split('|').Select(header => header.Split(": ")).ToDictionary(pair => pair[0], pair => pair[1]);

        Assert.Equal(dialect, DialectDetection.ByHead(name => headers.GetValueOrDefault(name)));
    }

    [Theory]
    [InlineData("""{"@odata.context":"c","value":[{"id":"a"}],"@odata.deltaLink":"/feed?$deltatoken=1"}""", "ODataDelta", "a")]
    [InlineData("""{"@context":"c","value":[{"id":"a"}],"@deltaLink":"/feed?$deltatoken=1"}""", "ODataDelta", "a")]
    [InlineData("""{"@odata.context":"c","value":[{"id":"a"}]}""", "Rest", "a")]
    [InlineData("""{"results":[{"seq":"1-a","id":"a","changes":[],"doc":{"_id":"a"}}],"last_seq":"1-a","pending":0}""", "CouchDb", "a")]
    [InlineData(
        """{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"uid":"a","name":"n"}}]}""",
        "Kubernetes",
        "a"
    )]
    [InlineData("""{"kind":"calendar#events","items":[{"id":"a"}]}""", "Rest", "a")]
    [InlineData("""[{"id":"a"}]""", "Rest", "a")]
    [InlineData("\uFEFF  [ {\"id\":\"a\"} ]", "Rest", "a")]
    [InlineData(")]}'\n[{\"id\":\"a\"}]", "Rest", "a")]
    [InlineData("""{"data":[{"id":"a"}],"meta":{}}""", "Rest", "a")]
    public async Task A_body_at_a_plain_address_is_read_in_the_dialect_that_it_shows(string body, string dialect, string key)
    {
        await using var server = Serve((path, _) => path == "/" ? Json("{}") : Json(body));

        var run = await SyncRun.ToEndAsync(Dialect(server, "feed", dialect: null));
        await SyncRun.ToEndAsync(Dialect(server, "feed", dialect: null));

        Assert.Equal((dialect, key, 1), (Info.DialectName, string.Join(',', Keys), run.Result.Added));
        Assert.Single(
            run.Events,
            e => e.Kind == (dialect == "Rest" ? FeedEventKind.Warning : FeedEventKind.Dialect) && e.Message.Contains($"'{dialect}'")
        );
    }

    [Fact]
    public async Task A_bare_handle_in_the_head_is_that_of_a_shape()
    {
        await using var server = Serve(
            (_, _) =>
                Json(
                    """[{"key":"a","value":{"id":"a"},"headers":{"operation":"insert"}}]""",
                    "electric-handle: h\r\nelectric-offset: 0_0\r\nelectric-up-to-date: \r\n"
                )
        );

        await SyncRun.ToEndAsync(Dialect(server, "feed", dialect: null));

        Assert.Equal("Shape", Info.DialectName);
        Assert.Contains(Paths(server), path => path.Contains("offset=-1") && path.Contains("replica=full"));
    }

    [Theory]
    [InlineData("""{"error":"busy"}""", "updated_at")]
    [InlineData("""{"name":"x","list":[1,2]}""", "updated_at")]
    [InlineData("<!doctype html><title>Sign in</title>", "page")]
    [InlineData("<feed xmlns='http://www.w3.org/2005/Atom'></feed>", "XML")]
    [InlineData("id,name\n1,x\n", "It begins: id,name")]
    [InlineData("just words", "JSON")]
    [InlineData("\u0000\u0001", "JSON")]
    public async Task A_body_that_no_dialect_reads_is_told_for_what_it_is_and_fills_no_table(string body, string says)
    {
        await using var server = Serve((_, _) => Status("200 OK", "Content-Type: text/plain\r\n", body));

        (var error, _) = await SyncRun.ToErrorAsync<LockstepException>(Dialect(server, "feed", dialect: null));

        Assert.Contains(says, error.Message + error.RecommendedAction, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(TablePath) && Info.Rows > 0);
    }

    [Theory]
    [InlineData("api/v1/items", """{"items":[{"id":"a"}],"total":1}""")]
    [InlineData("apis/x/v1/items", """[{"id":"a"}]""")]
    public async Task An_address_that_looks_like_a_dialect_is_not_believed_against_the_body(string path, string body)
    {
        await using var server = Serve((_, _) => Json(body));

        await SyncRun.ToEndAsync(Dialect(server, path, dialect: null));

        Assert.Equal(("Rest", "a"), (Info.DialectName, string.Join(',', Keys)));
    }

    [Theory]
    [InlineData("users/delta")]
    [InlineData("db/_changes")]
    public async Task Of_an_address_that_is_no_others_the_list_is_told_and_not_guessed_again(string path)
    {
        await using var server = Serve((_, _) => Json("""[{"id":"a"}]"""));

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Dialect(server, path, dialect: null));

        Assert.Equal("Sync with Dialect Rest.", error.Remedy.Render((term, value) => $"{term} {value}"));
    }
}
