using System.IO.Compression;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Answers that are rare, odd or hostile, and are not those of the contracts.</summary>
public sealed class StrangeAnswerTests : DialectTest
{
    private const string Users = "v1.0/users/delta";

    [Theory]
    [InlineData("ODataDelta", "users/delta", "200 OK", """{"value":[],"@odata.nextLink":"\ud800"}""")]
    [InlineData("ODataDelta", "users/delta", "200 OK", """{"value":[],"@odata.deltaLink":"http://127.0.0.1/\udc00"}""")]
    [InlineData("ODataDelta", "users/delta", "200 OK", """{"\ud800":1,"value":[],"@odata.deltaLink":"x"}""")]
    [InlineData("ODataDelta", "users/delta", "400 Bad Request", """{"error":{"code":"\ud800","message":"\ud800"}}""")]
    [InlineData("ODataDelta", "users/delta", "200 OK", """{"error":{"code":"\ud800"}}""")]
    [InlineData("Kubernetes", "api/v1/pods", "200 OK", """{"kind":"\ud800List","items":[{"metadata":{"uid":"a"}}]}""")]
    [InlineData("Kubernetes", "api/v1/pods", "200 OK", """{"metadata":{"continue":"\ud800"},"items":[]}""")]
    [InlineData("Kubernetes", "api/v1/pods", "410 Gone", """{"kind":"\ud800","code":"\ud800"}""")]
    [InlineData("Rest", "items", "200 OK", """{"links":[{"rel":"\ud800","href":"x"}],"items":[{"id":1}]}""")]
    [InlineData("Rest", "items", "200 OK", """{"next":"\ud800","items":[{"id":1}]}""")]
    [InlineData("Rest", "items", "200 OK", """{"total":"\ud800","has_more":"\ud800","items":[{"id":1}]}""")]
    [InlineData("Rest", "items", "200 OK", """{"\ud800":{}}""")]
    [InlineData("CouchDb", "db/_changes", "200 OK", """{"instance_start_time":"\ud800","results":[],"last_seq":"\ud800","pending":0}""")]
    public async Task A_text_that_is_not_Unicode_is_an_error_of_the_feed(string dialect, string path, string status, string body)
    {
        await using var server = Serve((_, _) => Status(status, "Content-Type: application/json\r\n", body));

        (var error, _) = await SyncRun.ToErrorAsync<FeedException>(Dialect(server, path, dialect));

        Assert.DoesNotContain("InvalidOperation", error.ToString());
    }

    [Theory]
    [InlineData("Rest", """{"items":[{"id":1},{"id":2}],"items":[{"id":2}]}""")]
    [InlineData("Rest", """{"items":[],"\u0069tems":[{"id":1},{"id":2}]}""")]
    [InlineData("Rest", """{"items":[{"id":2}],"items":null}""")]
    [InlineData("""{ "From": "Rest", "Items": "/data/list" }""", """{"data":{"list":[{"id":2}],"list":[{"id":1}]}}""")]
    [InlineData("""{ "From": "Rest", "Items": "/data/list" }""", """{"data":{"list":[{"id":2}]},"data":{"list":[{"id":1}]}}""")]
    [InlineData("""{ "From": "Rest", "Items": "/data/list" }""", """{"data":{"list":null,"list":[{"id":1}]}}""")]
    public async Task A_list_that_comes_twice_in_an_answer_is_an_error_and_removes_nothing(string dialect, string body)
    {
        var first = dialect == "Rest" ? """{"items":[{"id":1},{"id":2}]}""" : """{"data":{"list":[{"id":1},{"id":2}]}}""";
        await using var server = Serve((_, number) => Json(number == 1 ? first : body));
        await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", dialect));

        Assert.Contains("twice", error.Message, StringComparison.Ordinal);
        Assert.Equal(["1", "2"], Keys);
    }

    [Theory]
    [InlineData("ODataDelta", """{"value":[{"id":"b"}]}""")]
    [InlineData("ODataDelta", """{"value":[]}""")]
    [InlineData("ODataDelta", """{"value":[{"id":"b"}],"@odata.deltaLink":null}""")]
    [InlineData("ODataDelta", """{"value":[{"id":"b"}],"@odata.deltaLink":""}""")]
    [InlineData("Shape", """[{"headers":{"operation":"insert"},"key":"b","value":{"id":"b"}}]""")]
    [InlineData("DurableStream", """[{"id":"b"}]""")]
    public async Task Changes_that_name_neither_a_next_page_nor_a_cursor_have_not_come_in_full(string dialect, string body)
    {
        var signs =
            "electric-handle: h\r\nelectric-offset: 1_0\r\nelectric-up-to-date: \r\nstream-next-offset: 1\r\nstream-up-to-date: true\r\n";
        var first = dialect switch
        {
            "Shape" => """[{"headers":{"operation":"insert"},"key":"a","value":{"id":"a"}}]""",
            "DurableStream" => """[{"id":"a"}]""",
            _ => """{"value":[{"id":"a"}],"@odata.deltaLink":"?$deltatoken=one"}""",
        };
        await using var server = Serve((_, number) => number == 1 ? Json(first, signs) : Json(body));
        await SyncRun.ToEndAsync(Dialect(server, "v1/shape?table=t", dialect));

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "v1/shape?table=t", dialect));

        Assert.Single(Keys);
    }

    [Fact]
    public async Task A_first_round_whose_link_to_the_changes_is_empty_is_an_error_and_not_a_cursor_that_finds_no_deletion()
    {
        await using var server = Serve((_, _) => Json("""{"value":[{"id":"a"}],"@odata.deltaLink":""}"""));

        await SyncRun.ToErrorAsync<DialectException>(Dialect(server, Users, "ODataDelta"));

        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("""[{"id":1,}]""")]
    [InlineData(
        "[{\"id\":1},{\"id\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
            + "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]"
    )]
    public async Task What_is_wrong_with_JSON_is_said_without_words_for_programmers(string body)
    {
        await using var server = Serve((_, _) => Json(body));

        (var error, _) = await SyncRun.ToErrorAsync<FeedException>(Dialect(server, "items", "Rest"));

        Assert.DoesNotContain("reader options", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LineNumber", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Rest", """{"items":[{"items":[1],"id":1}],"more":{"items":[2]},"list":[{"items":[3]}]}""")]
    [InlineData(
        """{ "From": "Rest", "Items": "/data/list" }""",
        """{"list":[1],"data":{"list":[{"id":1}],"more":{"list":[]}},"other":{"list":null}}"""
    )]
    public async Task Lists_of_that_name_elsewhere_in_an_answer_are_none_of_its_list(string dialect, string body)
    {
        await using var server = Serve((_, _) => Json(body));

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", dialect));

        Assert.Equal(SyncOutcome.Complete, run.Result.Outcome);
        Assert.Equal(["1"], Keys);
    }

    [Theory]
    [InlineData("https://127.0.0.1:{port}/")]
    [InlineData("//elsewhere.example/x")]
    [InlineData("http://127.0.0.1:{port}@elsewhere.example/x")]
    [InlineData("http://elsewhere.example:{port}/x")]
    [InlineData("file:///etc/passwd")]
    public async Task A_next_page_elsewhere_is_refused_and_not_asked_for(string link)
    {
        await using var server = Serve(
            (_, _) =>
                Json("{\"value\":[{\"id\":\"a\"}],\"@odata.nextLink\":\"" + link.Replace("{port}", "1", StringComparison.Ordinal) + "\"}")
        );

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, Users, "ODataDelta"));

        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task An_expiry_between_the_pages_of_changes_fetches_the_whole_set_and_what_it_lacks_is_gone()
    {
        RawServer server = null!;
        string Page(string items, string link, string token) =>
            $"{{\"value\":[{items}],\"@odata.{link}\":\"{server.Root}v1.0/users/delta?${token}\"}}";
        server = Serve(
            (path, number) =>
                path.Contains("$deltatoken=1")
                    ? Json(Page("""{"id":"b","n":2},{"id":"never","@removed":{"reason":"deleted"}}""", "nextLink", "skiptoken=2"))
                : path.Contains("$skiptoken=2") ? Status("410 Gone")
                : number == 1 ? Json(Page("""{"id":"a"},{"id":"b"}""", "deltaLink", "deltatoken=1"))
                : Json(Page("""{"id":"b","n":2},{"id":"c"}""", "deltaLink", "deltatoken=9"))
        );
        await using var disposing = server;
        await SyncRun.ToEndAsync(Dialect(server, Users, "ODataDelta"));

        var second = await SyncRun.ToEndAsync(Dialect(server, Users, dialect: null));

        Assert.Equal(("1 1 1", "{\"id\":\"b\",\"n\":2}\n{\"id\":\"c\"}"), (Counts(second), Table()));
    }

    [Theory]
    [InlineData(
        "Kubernetes",
        "api/v1/pods",
        """{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"uid":"a"}}]}"""
    )]
    [InlineData("Rest", "items", """[{"id":"a"}]""")]
    [InlineData("""{ "From": "Rest", "Items": "", "Whole": true }""", "items", """[{"id":"a"}]""")]
    [Trait("Invariant", "I6")]
    public async Task No_content_is_no_empty_set(string dialect, string path, string list)
    {
        await using var server = Serve((_, number) => number == 1 ? Json(list) : Status("204 No Content"));
        await SyncRun.ToEndAsync(Dialect(server, path, dialect));

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, path, dialect));

        Assert.Equal(1, Info.Rows);
    }

    [Theory]
    [InlineData("Rest", "items", "{\"items\":[{\"id\":1}],\"next\":\"{root}items?p=2\"}", "204 No Content", "")]
    [InlineData(
        "{ \"From\": \"Rest\", \"Next\": { \"p\": \"/token\" } }",
        "items",
        "{\"items\":[{\"id\":1}],\"token\":2}",
        "204 No Content",
        ""
    )]
    [InlineData(
        "ODataDelta",
        "users/delta",
        "{\"value\":[{\"id\":1}],\"@odata.nextLink\":\"{root}users/delta?p=2\"}",
        "204 No Content",
        ""
    )]
    [InlineData(
        "ODataDelta",
        "users/delta",
        "{\"value\":[{\"id\":1}],\"@odata.nextLink\":\"{root}users/delta?p=2\"}",
        "200 OK",
        "{\"value\":null}"
    )]
    [InlineData(
        "ODataDelta",
        "users/delta",
        "{\"value\":[{\"id\":1}],\"@odata.nextLink\":\"{root}users/delta?p=2\"}",
        "200 OK",
        "{\"value\":null,\"@odata.deltaLink\":\"{root}users/delta?d=1\"}"
    )]
    [InlineData("CouchDb", "db/_changes", "{\"results\":null,\"last_seq\":\"9\",\"pending\":0}", "", "")]
    [Trait("Invariant", "I6")]
    public async Task What_stands_in_place_of_a_page_that_the_server_named_is_no_end(
        string dialect,
        string path,
        string first,
        string status,
        string second
    )
    {
        RawServer server = null!;
        server = Serve(
            (asked, _) =>
                asked.Contains("p=2", StringComparison.Ordinal)
                    ? Status(
                        status,
                        "Content-Type: application/json\r\n",
                        second.Replace("{root}", $"{server.Root}", StringComparison.Ordinal)
                    )
                    : Json(first.Replace("{root}", $"{server.Root}", StringComparison.Ordinal))
        );
        await using var disposing = server;

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, path, dialect));

        Assert.True(!Engine.Tables.Table.IsTable(TablePath) || Info.LastSync is null);
    }

    [Theory]
    [InlineData("ODataDelta", "users/delta", "{\"value\":[{\"id\":1,\"n\":0}],\"@odata.deltaLink\":\"{root}users/delta?d=0\"}")]
    [InlineData(
        "{ \"Items\": \"rows\", \"Key\": \"id\", \"Cursor\": \"since\", \"UpToDate\": \"since\", \"Changes\": {} }",
        "rows",
        "{\"rows\":[{\"id\":1,\"n\":0}],\"since\":\"{root}rows?d=0\"}"
    )]
    [InlineData(
        "{ \"From\": \"CouchDb\", \"Begin\": null, \"Live\": null }",
        "db/_changes",
        "{\"results\":[{\"seq\":\"0-x\",\"id\":\"1\",\"doc\":{\"_id\":\"1\",\"n\":0}}],\"last_seq\":\"0-x\",\"pending\":0}"
    )]
    [Trait("Invariant", "I6")]
    public async Task No_content_does_not_say_that_nothing_changed_where_the_last_page_has_to_say_so(
        string dialect,
        string path,
        string page
    )
    {
        RawServer server = null!;
        server = Serve(
            (_, number) =>
                number == 2
                    ? Status("204 No Content")
                    : Json(
                        page.Replace("{root}", $"{server.Root}", StringComparison.Ordinal)
                            .Replace("\"n\":0", $"\"n\":{number}", StringComparison.Ordinal)
                    )
        );
        await using var disposing = server;
        await SyncRun.ToEndAsync(Dialect(server, path, dialect));

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, path, dialect));
        var third = await SyncRun.ToEndAsync(Dialect(server, path, dialect));

        Assert.Equal(("0 1 0", SyncOutcome.Complete), (Counts(third), third.Result.Outcome));
        Assert.Equal(Paths(server).ElementAt(1), Paths(server).ElementAt(2));
    }

    [Theory]
    [InlineData("204 No Content", "")]
    [InlineData("200 OK", "{\"results\":[]}")]
    [Trait("Invariant", "I6")]
    public async Task A_first_load_that_lacks_its_second_page_does_not_go_on_from_the_newest_cursor(string status, string second)
    {
        await using var server = Serve(
            (path, number) =>
                path == "/db/" ? Json("""{"instance_start_time":"1","purge_seq":0,"update_seq":"9-x"}""")
                : number == 3 ? Status(status, "Content-Type: application/json\r\n", second)
                : path.Contains("since=", StringComparison.Ordinal)
                    ? Json("""{"results":[{"seq":"9-x","id":"9","doc":{"_id":"9"}}],"last_seq":"9-x","pending":0}""")
                : Json("""{"results":[{"seq":"1-x","id":"1","doc":{"_id":"1"}}],"last_seq":"1-x","pending":1}""")
        );
        const string Dialected = """{ "From": "CouchDb", "Live": null }""";

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, "db/_changes", Dialected));
        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", Dialected));

        Assert.Equal(["1", "9"], Keys);
    }

    [Fact]
    public async Task No_content_says_that_nothing_is_new_in_a_list_of_what_changed_since()
    {
        await using var server = Serve((_, number) => number == 1 ? Json("""[{"id":1,"at":5}]""") : Status("204 No Content"));
        const string Since = """
            { "From": "Rest", "Cursor": "max:at", "CursorType": "Number", "Changes": { "Query": { "since": "{cursor}" } } }
            """;
        await SyncRun.ToEndAsync(Dialect(server, "items", Since));

        var second = await SyncRun.ToEndAsync(Dialect(server, "items", Since));

        Assert.Equal((SyncOutcome.Complete, 1), (second.Result.Outcome, Info.Rows));
    }

    [Fact]
    public async Task No_content_after_the_last_page_is_the_end_of_the_list()
    {
        await using var server = Serve((path, _) => path.Contains("page=2") ? Status("204 No Content") : Json("""[{"id":"a"}]"""));

        await SyncRun.ToEndAsync(Dialect(server, "items", """{ "From": "Rest", "Next": { "page": "page:" } }"""));

        Assert.Equal(1, Info.Rows);
    }

    [Theory]
    [InlineData("""{"kind":"Table","metadata":{"resourceVersion":"5"},"columnDefinitions":[],"rows":[]}""")]
    [InlineData("""{"kind":"Status","status":"Failure","message":"no","code":403}""")]
    [InlineData("{}")]
    public async Task What_has_no_items_empties_no_table(string body)
    {
        await using var server = Serve(
            (_, number) =>
                Json(number == 1 ? """{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"uid":"a"}}]}""" : body)
        );
        await SyncRun.ToEndAsync(Dialect(server, "api/v1/pods", "Kubernetes"));

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, "api/v1/pods", "Kubernetes"));

        Assert.Equal(1, Info.Rows);
    }

    [Fact]
    public async Task Designs_deletions_and_conflicts_of_a_database_are_rows_like_any_others()
    {
        await using var server = Serve(
            (path, _) =>
                !path.Contains("_changes")
                    ? Json("""{"instance_start_time":"1","purge_seq":0,"update_seq":"3-c"}""")
                    : Json(
                        """
                        {"results":[
                        {"seq":"1-a","id":"_design/views","changes":[{"rev":"1-x"}],"doc":{"_id":"_design/views","_rev":"1-x","views":{}}},
                        {"seq":"2-b","id":"g","changes":[{"rev":"2-y"}],"deleted":true,"doc":{"_id":"g","_rev":"2-y","_deleted":true}},
                        {"seq":"3-c","id":"both","changes":[{"rev":"2-b"},{"rev":"2-a"}],"doc":{"_id":"both","_rev":"2-b","n":1}}
                        ],"last_seq":"3-c","pending":0}
                        """
                    )
        );

        await SyncRun.ToEndAsync(Dialect(server, "db/_changes", "CouchDb"));

        Assert.Equal(["\"_design/views\"", "\"both\""], Keys.Order(StringComparer.Ordinal).Select(key => $"\"{key.Trim('"')}\""));
    }

    [Theory]
    [InlineData("</items?page=b>; rel=\"next\"")]
    [InlineData("<?page=b>; rel=next")]
    [InlineData("<items?page=a>; rel=\"prev\", <items?page=b>; title=\"the next, rel=prev; <one>\"; REL=\"last next\"")]
    [InlineData("<items?page=a>;rel=prev,<items?page=b>;rel=next")]
    public async Task A_link_may_be_relative_and_written_as_the_standard_allows(string link)
    {
        await using var server = Serve(
            (path, _) => path.Contains("page=b") ? Json("""[{"id":"b"}]""") : Json("""[{"id":"a"}]""", $"Link: {link}\r\n")
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal(2, Info.Rows);
    }

    [Fact]
    public async Task A_compressed_body_is_read_and_one_that_is_cut_is_no_end()
    {
        var buffer = new MemoryStream();
        await using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest))
            await gzip.WriteAsync(Encoding.UTF8.GetBytes("""[{"id":"a"},{"id":"b"}]"""), Cancellation);
        var bytes = buffer.ToArray();
        await using var server = new RawServer(async exchange =>
        {
            var sent = exchange.Number == 1 ? bytes : bytes[..^9];
            await exchange.SendAsync(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
                    + $"Content-Length: {sent.Length}\r\n\r\n"
            );
            await exchange.SendAsync(sent);
        });
        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        await SyncRun.ToErrorAsync<FeedException>(Dialect(server, "items", "Rest"));

        Assert.Equal(2, Info.Rows);
    }

    [Theory]
    [InlineData("id: 1\r\ndata: {\"id\":\"a\",\r\ndata: \"n\":1}\r\n\r\n")]
    [InlineData("\uFEFF: hello\n\nid: 1\ndata: {\"id\":\"a\",\ndata: \"n\":1}\n\n")]
    [InlineData("id: 1\rdata: {\"id\":\"a\",\rdata: \"n\":1}\r\rid: x\0y\rdata: {\"id\":\"b\"}\r\r")]
    public async Task Events_of_any_line_ends_give_their_records_and_an_id_with_a_zero_is_none(string events)
    {
        await using var server = new RawServer(async exchange =>
            await exchange.SendAsync(
                $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n{(exchange.Number == 1 ? events : "")}"
            )
        );
        await SyncRun.ToEndAsync(Dialect(server, "events", "EventStream"));

        Assert.Contains("\"n\":1", Table());
        Assert.Equal("1", Info.Cursor.ToString());
    }

    [Theory]
    [InlineData("\u0001")]
    [InlineData("ä✓")]
    [InlineData(" x ")]
    public async Task An_id_that_is_no_usual_text_goes_back_as_it_came_or_is_told(string id)
    {
        await using var server = new RawServer(async exchange =>
            await exchange.SendAsync(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
                    + (exchange.Number == 1 ? $"id: {id}\ndata: {{\"id\":\"a\"}}\n\n" : ": nothing\n\n")
            )
        );
        await SyncRun.ToEndAsync(Dialect(server, "events", "EventStream"));
        try
        {
            await SyncRun.ToEndAsync(Dialect(server, "events", "EventStream"));
        }
        catch (LockstepException e)
        {
            Assert.Contains("Last-Event-ID", e.Message);
            return;
        }

        Assert.Equal(2, server.Requests.Count);
    }
}
