using Lockstep.Engine.Dialects;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>What authors of a dialect are shown of each request.</summary>
public sealed class DialectObserverTests : DialectTest
{
    [Fact]
    public async Task Key_order_cursor_next_page_and_signs_of_each_page_are_shown()
    {
        const string Mine = """
            {
              "Items": "/d/rows", "Key": "/m/k", "OrderBy": "v", "Cursor": "token", "Next": "more", "UpToDate": "done",
              "Changes": { "Query": { "t": "{cursor}" } }
            }
            """;
        await using var server = Serve(
            (_, number) =>
                Json(
                    number == 1
                        ? """{"d":{"rows":[{"m":{"k":"a"},"v":1.50},{"m":{"k":"b"},"v":2}]},"more":"/rows?page=2"}"""
                        : """{"d":{"rows":[]},"token":"0123456789abcdef","done":true}"""
                )
        );

        Assert.Equal(
            [
                "Snapshot /rows 200: 2 in /d/rows, a 1.50 {\"m\":{\"k\":\"a\"},\"v\":1.50}, - /rows?page=2 False",
                "Snapshot /rows?page=2 200: 0 in /d/rows,   , 0123456789ab… - True",
            ],
            await ShowAsync(server, "rows", Mine)
        );
    }

    [Fact]
    public async Task The_largest_value_is_shown_as_the_cursor()
    {
        const string Mine = """{ "From": "Rest", "Next": null, "Cursor": "max:v", "CursorType": "Number" }""";
        await using var server = Serve((_, _) => Json("""[{"id":1,"v":7},{"id":2,"v":5}]"""));

        Assert.Equal(["""Snapshot /rows 200: 2 in , 1  {"id":1,"v":7}, 7 - True"""], await ShowAsync(server, "rows", Mine));
    }

    [Fact]
    public async Task Of_a_stream_it_is_what_arrived_together()
    {
        await using var server = Serve(
            (_, _) =>
                new Reply(
                    "200 OK",
                    "Content-Type: text/event-stream\r\n",
                    ": hello\n\nid: 7\ndata: {\"id\":\"a\"}\n\nid: 8\nevent: delete\ndata: {\"id\":\"b\"}\n\n"
                )
        );

        var shown = Assert.Single(await ShowAsync(server, "stream", "EventStream"));

        Assert.Equal("""Snapshot /stream 200: 3 in -, a  {"id":"a"}, 8 - True""", shown);
    }

    private async Task<List<string>> ShowAsync(RawServer server, string path, string dialect)
    {
        var steps = new List<DialectStep>();
        await SyncRun.ToEndAsync(
            Dialect(
                server,
                path,
                dialect,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    Settle = o.Settle,
                    DialectObserver = steps.Add,
                }
            )
        );
        return
        [
            .. steps.Select(step =>
                $"{step.Purpose} {new Uri(step.Request).PathAndQuery} {step.Status}: {step.Items} in {step.Place ?? "-"}, "
                + $"{step.FirstKey} {step.FirstOrder} {step.FirstRecord}, {step.Cursor ?? "-"} {step.Next ?? "-"} {step.IsUpToDate}"
            ),
        ];
    }
}
