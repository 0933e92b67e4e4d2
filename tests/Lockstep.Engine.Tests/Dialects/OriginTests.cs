using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Whatever an answer or a table's file says, requests and their credentials go to the feed's own origin (D5).</summary>
public sealed class OriginTests : DialectTest
{
    private const string Users = "v1.0/users/delta";

    [Theory]
    [InlineData("https://feed.example/api/users", "next", "https://feed.example/api/next")]
    [InlineData("https://feed.example/api/users", "/next?a=1", "https://feed.example/next?a=1")]
    [InlineData("https://feed.example/api/users", "?a=1", "https://feed.example/api/users?a=1")]
    [InlineData("https://feed.example/users", "https://FEED.example:443/x", "https://feed.example/x")]
    [InlineData("https://feed.example/users", "http://feed.example/x?a=1", "https://feed.example/x?a=1")]
    [InlineData("https://feed.example/users", "http://feed.example:8080/x", "https://feed.example/x")]
    [InlineData("https://feed.example:8443/users", "http://feed.example/x", "https://feed.example:8443/x")]
    [InlineData("http://feed.example/users", "http://feed.example/x", "http://feed.example/x")]
    [InlineData("https://xn--bcher-kva.example/users", "https://bücher.example/x", "https://bücher.example/x")]
    public void A_link_within_the_origin_is_followed_and_never_without_TLS(string feed, string link, string target)
    {
        using var client = new FeedClient(new FeedOptions { Uri = new Uri(feed) }, TimeProvider.System);

        Assert.Equal(new Uri(target), Requests(client).Own(link, client.Uri.Location));
    }

    [Theory]
    [InlineData("https://feed.example/users", "https://feed.example:8443/x")]
    [InlineData("https://feed.example/users", "https://elsewhere.example/x")]
    [InlineData("https://feed.example/users", "//elsewhere.example/x")]
    [InlineData("https://feed.example/users", "\\\\elsewhere.example\\x")]
    [InlineData("https://feed.example/users", "https://feed.example@elsewhere.example/x")]
    [InlineData("https://feed.example/users", "https://feed.example.elsewhere.example/x")]
    [InlineData("https://feed.example/users", "http://elsewhere.example/x")]
    [InlineData("http://feed.example/users", "https://feed.example/x")]
    [InlineData("http://feed.example/users", "http://feed.example:8080/x")]
    [InlineData("https://feed.example/users", "file:///etc/passwd")]
    [InlineData("https://feed.example/users", "ftp://feed.example/x")]
    [InlineData("https://feed.example/users", "javascript:alert(1)")]
    [InlineData("https://feed.example/users", "https://")]
    public void A_link_that_leads_elsewhere_is_an_error(string feed, string link)
    {
        using var client = new FeedClient(new FeedOptions { Uri = new Uri(feed) }, TimeProvider.System);

        Assert.Throws<DialectException>(() => Requests(client).Own(link, client.Uri.Location));
    }

    [Theory]
    [InlineData("cursor")]
    [InlineData("resume")]
    [InlineData("since")]
    [InlineData("next")]
    [InlineData("delta")]
    [InlineData("redirect")]
    [InlineData("location")]
    public async Task Nothing_is_sent_to_another_origin_that_a_file_an_answer_or_the_user_names(string by)
    {
        await using var elsewhere = Serve((_, _) => Json("""{"value":[{"id":"evil"}],"@odata.deltaLink":"/d"}"""));
        var link = new Uri(elsewhere.Root, "steal?token=1").AbsoluteUri;
        await using var server = Serve(
            (path, number) =>
                number == 1 ? Json("""{"value":[{"id":"a"}],"@odata.deltaLink":"/v1.0/users/delta?$deltatoken=1"}""")
                : by == "next" ? Json($$"""{"value":[],"@odata.nextLink":"{{link}}"}""")
                : by == "delta" ? Json($$"""{"value":[],"@odata.deltaLink":"{{link}}"}""")
                : by == "redirect" ? Status("307 Temporary Redirect", $"Location: {link}\r\n")
                : by == "location" ? Status("410 Gone", $"Location: {link}\r\n")
                : Json("""{"value":[{"id":"b"}],"@odata.deltaLink":"/v1.0/users/delta?$deltatoken=2"}""")
        );
        SyncOptions Options(bool isSince = false) =>
            Dialect(
                server,
                Users,
                "ODataDelta",
                o => new SyncOptions
                {
                    Feed = new FeedOptions { Uri = o.Feed.Uri, BearerToken = "top-secret" },
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Since = isSince ? link : null,
                }
            );
        await SyncRun.ToEndAsync(Options());
        if (by is "cursor" or "resume")
            Plant(by, link);

        var (error, _) = await SyncRun.ToErrorAsync<FeedException>(Options(by == "since"));

        Assert.Contains($"127.0.0.1:{elsewhere.Root.Port}", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("token=1", error.ToString(), StringComparison.Ordinal);
        Assert.Empty(elsewhere.Requests);
        Assert.Equal("""{"id":"a"}""", Table());
    }

    [Fact]
    public async Task What_another_origin_sent_last_is_not_stored()
    {
        await using var server = Serve((_, _) => Json("""{"value":[],"@odata.deltaLink":"https://elsewhere.example/x"}"""));

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, "ODataDelta"));
        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, "ODataDelta"));

        Assert.Equal(["/v1.0/users/delta", "/v1.0/users/delta"], Paths(server));
    }

    private static DialectRequests Requests(FeedClient client) =>
        new(BuiltInDialects.Find("ODataDelta")!, client) { WaitAsync = (_, _) => Task.FromResult(false) };

    private void Plant(string column, string link)
    {
        using var connection = new SqliteConnection($"Data Source={TablePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"UPDATE lockstep_table SET {column} = $link";
        command.Parameters.AddWithValue("$link", link);
        Assert.Equal(1, command.ExecuteNonQuery());
    }
}
