using Lockstep.Engine.Dialects;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A dialect is stored, shown and shared, so it holds no secret.</summary>
public sealed class DialectSecretTests : DialectTest
{
    [Theory]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Query": { "key": "AIzaSyA1234567890" } } }""", "'key'")]
    [InlineData("""{ "From": "Rest", "Query": { "api_key": "0123456789abcdef" } }""", "'api_key'")]
    [InlineData("""{ "From": "Rest", "query": { "sig": "0123456789abcdef" } }""", "'sig'")]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Query": { "subscription-key": "0123456789abcdef" } } }""", "'subscription-key'")]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Body": { "auth": { "password": "hunter2hunter2" } } } }""", "'password'")]
    [InlineData("""{ "From": "Rest", "Body": { "list": [{ "access_token": "0123456789abcdef" }] } }""", "'access_token'")]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Path": "all?access_token=0123456789abcdef" } }""", "'access_token'")]
    [InlineData("""{ "From": "Rest", "Begin": { "Path": ".?x=1&apikey=0123456789abcdef" } }""", "'apikey'")]
    public void A_secret_is_refused_and_the_advice_says_where_it_goes(string json, string named)
    {
        var error = Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(json, "mine"));

        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("0123456789abcdef", error.Message, StringComparison.Ordinal);
        Assert.Contains("Query", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "From": "Rest", "Items": "kvs", "Snapshot": { "Body": { "key": "L3JlZ2lzdHJ5L3BvZHM=", "range_end": "AA==" } } }""")]
    [InlineData("""{ "From": "Rest", "Next": { "page_token": "next_page_token" } }""")]
    [InlineData("""{ "From": "Rest", "Next": { "$skiptoken": "/next/token_of_page" } }""")]
    [InlineData("""{ "From": "Rest", "Cursor": "nextSyncToken", "Changes": { "Query": { "syncToken": "{cursor}" } } }""")]
    [InlineData("""{ "From": "Rest", "Cursor": "t", "Changes": { "Body": { "token": "since-{cursor}" } } }""")]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Query": { "token": "latest", "pageToken": "", "include_tokens": "false" } } }""")]
    [InlineData("""{ "From": "Rest", "Query": { "sysparm_query": "ORDERBYsys_updated_on", "continue": "0123456789" } }""")]
    [InlineData(
        """{ "From": "Rest", "Body": { "query": "query($token: String) { a(token: $token) }", "sort": { "code": "ascending" } } }"""
    )]
    [InlineData("""{ "From": "Rest", "Snapshot": { "Path": "../changes/startPageToken" } }""")]
    public void What_only_has_such_a_name_is_not(string json) => Assert.Equal("mine", DialectDescription.Parse(json, "mine").Name);

    [Fact]
    public async Task A_table_that_has_one_in_its_dialect_is_still_synced()
    {
        await using var server = Serve((_, number) => Json($$"""[{"id":{{number}}}]"""));
        var earlier = DialectDescription.Stored("""{ "From": "Rest", "Query": { "key": "AIzaSyA1234567890" } }""", "mine");
        await SyncRun.ToEndAsync(
            Dialect(
                server,
                "items",
                "Rest",
                o =>
                    new()
                    {
                        Feed = o.Feed,
                        Store = o.Store,
                        Foreign = earlier,
                    }
            )
        );

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect: null));

        Assert.Equal(("1 0 1", "mine"), (Counts(run), Info.DialectName));
        Assert.Contains("key=AIzaSyA1234567890", Paths(server).Last(), StringComparison.Ordinal);
    }
}
