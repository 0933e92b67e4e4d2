using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Foreign;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>A delta query, as Microsoft Graph answers it.</summary>
public sealed class ODataDeltaFeedTests : DialectFeedTest
{
    private static string Value(Answer answer) => answer.Json["value"]!.ToJsonString();

    private static string Next(Answer answer) => answer.Json["@odata.nextLink"]!.GetValue<string>();

    private static string Delta(Answer answer) => answer.Json["@odata.deltaLink"]!.GetValue<string>();

    private async Task<string> ReadWholeAsync(string first = "")
    {
        var answer = await GetAsync(first);
        while (answer.Json["@odata.nextLink"] is not null)
            answer = await GetAsync(Next(answer));
        return Delta(answer);
    }

    [Fact]
    public async Task Pages_have_a_nextLink_and_the_last_one_a_deltaLink()
    {
        await StartAsync(FeedKind.ODataDelta, o => o.PageSize = 2, """{"id":"a","n":1}""", """{"id":"b","n":2.50}""", """{"id":"c"}""");

        var first = await GetAsync();
        var last = await GetAsync(Next(first));

        Assert.Equal(("""[{"id":"a","n":1},{"id":"b","n":2.50}]""", """[{"id":"c"}]"""), (Value(first), Value(last)));
        Assert.Equal("users", first.Json["@odata.context"]!.GetValue<string>().Split('#')[1]);
        Assert.Null(last.Json["@odata.nextLink"]);
        Assert.Equal("[]", Value(await GetAsync(Delta(last))));
    }

    [Fact]
    public async Task A_change_has_its_fields_only_and_a_removal_its_id()
    {
        await StartAsync(FeedKind.ODataDelta, null, """{"id":"a","x":1,"y":1}""", """{"id":"b"}""", """{"id":"c","z":1}""");
        var link = await ReadWholeAsync();

        Server.AddRecord("""{"id":"a","x":2}""");
        Server.AddRecord("""{"id":"a","y":null}""");
        Server.AddRecord("""{"id":"b","@removed":{"reason":"changed"}}""");
        Server.RemoveRecord("""{"id":"c"}""");
        Server.AddRecord("""{"id":"c","w":1}""");

        Assert.Equal(
            """[{"id":"a","x":2,"y":null},{"id":"b","@removed":{"reason":"changed"}},{"id":"c","@removed":{"reason":"deleted"}}"""
                + """,{"id":"c","w":1}]""",
            Value(await GetAsync(link))
        );
        Assert.Equal("""[{"id":"a","x":2,"y":null},{"id":"c","w":1}]""", Value(await GetAsync()));
    }

    [Fact]
    public async Task A_list_of_changes_comes_in_slices_over_pages_and_later_as_what_changed()
    {
        await StartAsync(
            FeedKind.ODataDelta,
            o => (o.PageSize, o.Path) = (2, "/groups/delta"),
            """{"id":"g","n":1,"members@delta":[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"},{"id":"e"}]}""",
            """{"id":"h","members@delta":[{"id":"a"}]}"""
        );

        var first = await GetAsync();
        var second = await GetAsync(Next(first));
        Assert.Equal(
            """[{"id":"g","n":1,"members@delta":[{"id":"a"},{"id":"b"}]},{"id":"g","members@delta":[{"id":"c"},{"id":"d"}]}]""",
            Value(first)
        );
        Assert.Equal("""[{"id":"g","members@delta":[{"id":"e"}]},{"id":"h","members@delta":[{"id":"a"}]}]""", Value(second));
        var link = Delta(second);

        Server.AddRecord("""{"id":"g","members@delta":[{"id":"a","@removed":{"reason":"deleted"}},{"id":"f"}]}""");
        Server.AddRecord("""{"id":"g","n":2,"members@delta":[{"id":"f","@removed":{"reason":"deleted"}}]}""");

        var third = await GetAsync(link);
        Assert.Equal(
            """[{"id":"g","members@delta":[{"id":"a","@removed":{"reason":"deleted"}},{"id":"f","@removed":{"reason":"deleted"}}]"""
                + ""","n":2}]""",
            Value(third)
        );
        Assert.Equal("[]", Value(await GetAsync(Delta(third))));
        var again = await GetAsync("?$select=members");
        Assert.Equal("""[{"id":"h","members@delta":[{"id":"a"}]},{"id":"g","members@delta":[{"id":"b"},{"id":"c"}]}]""", Value(again));
        Assert.Equal("""[{"id":"g","members@delta":[{"id":"d"},{"id":"e"}]}]""", Value(await GetAsync(Next(again))));
    }

    [Fact]
    public async Task An_item_that_changes_between_its_slices_comes_again_as_a_whole()
    {
        await StartAsync(
            FeedKind.ODataDelta,
            o => o.PageSize = 1,
            """{"id":"g","members@delta":[{"id":"a"},{"id":"b"}]}""",
            """{"id":"h"}"""
        );

        var first = await GetAsync();
        Server.AddRecord("""{"id":"g","members@delta":[{"id":"c"}]}""");
        List<string> rest = [];
        for (var answer = first; answer.Json["@odata.nextLink"] is not null; )
            rest.Add(Value(answer = await GetAsync(Next(answer))));

        Assert.Equal(
            [
                """[{"id":"h"}]""",
                """[{"id":"g","members@delta":[{"id":"a"}]}]""",
                """[{"id":"g","members@delta":[{"id":"b"}]}]""",
                """[{"id":"g","members@delta":[{"id":"c"}]}]""",
            ],
            rest
        );
    }

    [Fact]
    public async Task What_changes_while_a_round_is_read_comes_on_a_later_page_of_it()
    {
        await StartAsync(FeedKind.ODataDelta, o => o.PageSize = 2, """{"id":"a","x":1}""", """{"id":"b"}""", """{"id":"c","y":1,"z":1}""");

        var first = await GetAsync();
        Server.AddRecord("""{"id":"c","y":2}""");
        Server.RemoveRecord("""{"id":"a"}""");

        Assert.Equal("""[{"id":"c","y":2,"z":1},{"id":"a","@removed":{"reason":"deleted"}}]""", Value(await GetAsync(Next(first))));
    }

    [Fact]
    public async Task Select_and_latest_are_kept_in_the_links()
    {
        await StartAsync(FeedKind.ODataDelta, null, """{"id":"a","x":1,"y":1}""");
        var link = await ReadWholeAsync("?$select=x");
        var latest = await ReadWholeAsync("?$deltatoken=latest");

        Server.AddRecord("""{"id":"a","x":2,"y":2}""");

        Assert.Equal("""[{"id":"a","x":2}]""", Value(await GetAsync(link)));
        Assert.Equal("""[{"id":"a","x":2,"y":2}]""", Value(await GetAsync(latest)));
    }

    [Theory]
    [InlineData(ExpiryForm.Auto, 410, "syncStateInvalid", true)]
    [InlineData(ExpiryForm.Gone, 410, "syncStateInvalid", false)]
    [InlineData(ExpiryForm.Error, 400, "syncStateNotFound", false)]
    public async Task A_token_expires_as_it_does_on_the_real_service(ExpiryForm form, int status, string code, bool hasLocation)
    {
        await StartAsync(FeedKind.ODataDelta, null, """{"id":"a"}""");
        var link = await ReadWholeAsync();
        Server.Faults.Add(new CursorExpiredFault { As = form });

        var answer = await GetAsync(link);

        Assert.Equal((status, code), (answer.Status, answer.Json["error"]!["code"]!.GetValue<string>()));
        Assert.Equal(hasLocation, answer.Headers.Location is not null);
        if (answer.Headers.Location is { } location)
            Assert.Equal("""[{"id":"a"}]""", Value(await GetAsync(location.OriginalString)));
    }

    [Fact]
    public async Task Of_faults_that_answer_each_has_its_turn()
    {
        await StartAsync(FeedKind.ODataDelta, null, """{"id":"a"}""");
        var link = await ReadWholeAsync();
        Server.Faults.Add(
            new StatusFault
            {
                Code = 429,
                RetryAfter = "1",
                Times = 1,
            }
        );
        Server.Faults.Add(new CursorExpiredFault { Times = 1 });

        List<int> statuses = [];
        for (var i = 0; i < 3; i++)
            statuses.Add((await GetAsync(link)).Status);

        Assert.Equal([429, 410, 200], statuses);
        Assert.Equal([1, 1], Server.Faults.Select(fault => fault.Hits));
    }

    [Fact]
    public async Task A_record_without_a_key_and_a_token_of_somebody_else_are_refused()
    {
        await StartAsync(FeedKind.ODataDelta, null);

        Assert.Contains("'id'", Assert.Throws<InvalidRecordException>(() => Server.AddRecord("""{"name":"x"}""")).Message);
        Assert.Equal(400, (await GetAsync("?$deltatoken=abc")).Status);
        Assert.Equal(404, (await GetAsync("/groups/delta")).Status);
    }
}
