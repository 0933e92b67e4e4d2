using System.Globalization;
using System.Xml.Linq;
using Lockstep.Engine.Conformance;
using Lockstep.Engine.Feed;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Conformance;

public sealed class FeedConformanceTests
{
    private static readonly string[] Records =
    [
        .. Enumerable
            .Range(1, 20)
            .Select(i => $$"""{"id":{{i % 15}},"updated_at":{{i}},"deleted_at":{{(i % 5 == 0 ? $"{i}" : "null")}}}"""),
    ];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(ScriptedDialect.Record, true, false)]
    [InlineData(ScriptedDialect.Record, false, false)]
    [InlineData(ScriptedDialect.Record, true, true)]
    [InlineData(ScriptedDialect.Transaction, true, false)]
    [InlineData(ScriptedDialect.Transaction, false, false)]
    public async Task A_good_feed_breaks_no_rule(ScriptedDialect dialect, bool endless, bool redirect)
    {
        await using var server = await StartAsync(dialect, endless, redirect);
        var report = await CheckAsync(server);
        Assert.True(report.Passed, string.Join('\n', report.Results));
        Assert.Equal(17, report.Results.Count);
        string[] judged = [.. report.Results.Where(result => result.Outcome == RuleOutcome.Passed).Select(result => result.Id)];
        Assert.Contains("order", judged);
        Assert.Contains("cursor-inclusive", judged);
        Assert.Contains("resume", judged);
        Assert.Contains("tombstones", judged);
        Assert.Equal(redirect, judged.Contains("snapshot"));
        Assert.Equal(redirect, judged.Contains("update-mode"));
        Assert.Equal(dialect == ScriptedDialect.Transaction, judged.Contains("snapshot-completed"));
        Assert.Equal(endless && !redirect, judged.Contains("heartbeat"));
    }

    [Theory]
    [InlineData("status", """{"kind":"Status","code":500}""")]
    [InlineData("content-type", """{"kind":"Status","code":200,"headers":{"Content-Type":"text/html"},"body":"{}"}""")]
    [InlineData("framing", """{"kind":"Cut","atRecord":3}""")]
    [InlineData("framing", """{"kind":"ContentLength","delta":5}""")]
    [InlineData("framing", """{"kind":"ChunkHeader"}""")]
    [InlineData("objects", """{"kind":"Garbage","text":"oops\n","atRecord":2}""")]
    [InlineData("objects", """{"kind":"Garbage","text":"{\"a\":1,\"a\":2}\n","atRecord":2}""")]
    [InlineData("objects", """{"kind":"Truncate","atByte":100}""")]
    [InlineData("required-fields", """{"kind":"Garbage","text":"{\"id\":1}\n","atRecord":2}""")]
    [InlineData("key", """{"kind":"Garbage","text":"{\"id\":null,\"updated_at\":2,\"deleted_at\":null}\n","atRecord":2}""")]
    [InlineData("order-type", """{"kind":"Garbage","text":"{\"id\":1,\"updated_at\":\"2\",\"deleted_at\":null}\n","atRecord":2}""")]
    [InlineData("order", """{"kind":"Reorder"}""")]
    [InlineData("order", """{"kind":"LateRecord","atRecord":3}""")]
    [InlineData("cursor-inclusive", """{"kind":"Truncate","path":"/servers/20"}""")]
    [InlineData(
        "cursor-lower-bound",
        """{"kind":"Garbage","text":"{\"id\":1,\"updated_at\":1,\"deleted_at\":null}\n","path":"/servers/11"}"""
    )]
    [InlineData("resume", """{"kind":"Truncate","atRecord":8,"path":"/servers/11"}""")]
    [InlineData("resume", """{"kind":"CursorExpired"}""")]
    [InlineData("tombstones", """{"kind":"Truncate","atRecord":4,"path":"/servers/11"}""")]
    public async Task A_fault_breaks_its_rule(string rule, string fault)
    {
        await using var server = await StartAsync(ScriptedDialect.Record, endless: false, redirect: false);
        using var json = System.Text.Json.JsonDocument.Parse(fault);
        server.Faults.Add(FaultKinds.Create(json.RootElement, out _));
        var report = await CheckAsync(server);
        var result = report.Results.Single(each => each.Id == rule);
        Assert.True(result.Outcome == RuleOutcome.Failed, string.Join('\n', report.Results));
        Assert.NotNull(result.Message);
        Assert.False(report.Passed);
    }

    [Fact]
    public async Task An_array_is_called_one_and_its_records_are_not_judged_by_fields_they_need_not_have()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync("""[{"id":1}]""", "Content-Type: application/json\r\n"));

        var report = await FeedConformance.CheckAsync(new FeedOptions { Uri = server.FeedUri }, cancellationToken: Cancelled);

        var objects = report.Results.Single(each => each.Id == "objects");
        Assert.Equal(RuleOutcome.Failed, objects.Outcome);
        Assert.EndsWith("the body is one JSON array, not one object after another", objects.Message, StringComparison.Ordinal);
        Assert.Equal(RuleOutcome.Skipped, report.Results.Single(each => each.Id == "required-fields").Outcome);
    }

    [Theory]
    // The set comes in any order, and what follows it does not.
    [InlineData("1@3 2@1 3@2 | 4@4", "2@1 3@2 1@3 4@4", null)]
    [InlineData("1@3 | 3@5 2@4", "1@3 2@4 3@5", "order")]
    [InlineData("1@3 2@1 3@2 | 4@4", "2@1 1@3 3@2 4@4", "order")]
    // What is at the cursor of the snapshot need not come again, and what has an order value of its own does.
    [InlineData("1@9 2@9 |", "", null)]
    [InlineData("1@9 2@9 3@9 | 4@10 5@11", "4@10 5@11", null)]
    [InlineData("1@9 2@9 3@9 | 4@10 5@11", "4@10", "cursor-inclusive")]
    [InlineData("1@9 2@9 3@9 | 4@10 5@11", "5@11", "resume")]
    [InlineData("1@9 2@9 | 3@9", "", "cursor-inclusive")]
    [InlineData("1@3 2@5 3@4 |", "1@3", "resume")]
    public async Task The_set_of_a_transaction_feed_has_other_rules_than_what_follows_it(string set, string log, string? broken)
    {
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(
                string.Concat(
                    exchange.Cursor == "0"
                        ? set.Split(' ').Select(Line)
                        : Records(log).Where(r => At(r) >= At("@" + exchange.Cursor)).Select(Line)
                ),
                "Content-Type: application/x-ndjson\r\nLockstep-Feed: mine\r\n"
            )
        );

        var report = await FeedConformance.CheckAsync(new FeedOptions { Uri = server.FeedUri }, Options(), cancellationToken: Cancelled);

        string[] failed = [.. report.Results.Where(result => result.Outcome == RuleOutcome.Failed).Select(result => result.Id)];
        if (broken is null)
            Assert.Empty(failed);
        else
            Assert.Contains(broken, failed);

        // A cursor is sent with the identity of its feed, as every client does, and the whole set is asked for without one.
        Assert.Equal(
            server.Cursors.Select(cursor => cursor != "0"),
            server.Requests.Select(request => request.Contains("Lockstep-Feed: mine\r\n", StringComparison.Ordinal))
        );

        static string[] Records(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

        static int At(string record) => int.Parse(record.Split('@')[1], CultureInfo.InvariantCulture);

        static string Line(string record)
        {
            if (record == "|")
                return """{"control":true,"type":"snapshot_completed"}""" + "\n";
            var (id, at) = (record.Split('@')[0], At(record));
            return $$$"""{"txid":{{{at}}},"current_xmin":99,"since":{{{at}}},"deleted":false,"data":{"id":{{{id}}}}}""" + "\n";
        }
    }

    [Fact]
    public async Task A_silent_endless_feed_has_no_heartbeat()
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = Records,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        var report = await CheckAsync(server);
        Assert.Equal(RuleOutcome.Failed, report.Results.Single(result => result.Id == "heartbeat").Outcome);
    }

    [Fact]
    public async Task A_snapshot_that_does_not_end_and_a_redirect_in_update_mode_are_found()
    {
        await using var server = await StartAsync(ScriptedDialect.Record, endless: true, redirect: false);
        server.Faults.Add(new RedirectFault { To = "/servers/1", Path = "/servers/0" });
        var report = await CheckAsync(server);
        Assert.Equal(
            ["snapshot", "update-mode"],
            report.Results.Where(result => result.Outcome == RuleOutcome.Failed).Select(result => result.Id)
        );
    }

    [Fact]
    public async Task The_reference_feed_breaks_the_order_and_is_known_for_it()
    {
        await using var server = await StartAsync(FeedKind.Reference);
        var report = await FeedConformance.CheckAsync(
            new FeedOptions { Uri = server.FeedUri },
            new ConformanceOptions { MaximumRecords = 60 },
            cancellationToken: Cancelled
        );
        var order = report.Results.Single(result => result.Id == "order");
        Assert.Equal(RuleOutcome.Failed, order.Outcome);
        Assert.Contains("1000 follows 1004", order.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_report_is_NUnit_XML()
    {
        await using var server = await StartAsync(ScriptedDialect.Record, endless: false, redirect: false);
        server.Faults.Add(new ReorderFault());
        var report = await CheckAsync(server);
        var run = XElement.Parse(report.ToNUnitXml());
        Assert.Equal("test-run", run.Name.LocalName);
        Assert.Equal("Failed", (string?)run.Attribute("result"));
        Assert.Equal("17", (string?)run.Attribute("total"));
        var failed = Assert.Single(run.Descendants("test-case"), test => (string?)test.Attribute("result") == "Failed");
        Assert.Equal("order", (string?)failed.Attribute("id"));
        Assert.Contains("follows", failed.Element("failure")!.Element("message")!.Value, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_in_the_query_of_the_feed_is_not_in_the_report()
    {
        await using var server = await StartAsync(FeedKind.Finite);
        server.Faults.Add(new StatusFault { Code = 500 });
        var report = await FeedConformance.CheckAsync(
            new FeedOptions { Uri = new Uri(server.FeedUri, "?token=s3cr3t&region=eu"), CursorStyle = CursorStyle.Query },
            Options(),
            cancellationToken: Cancelled
        );
        Assert.Contains(report.Results, result => result.Message?.Contains("region=eu", StringComparison.Ordinal) == true);
        Assert.DoesNotContain("s3cr3t", report.ToNUnitXml(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task I9_credentials_go_to_the_feed_and_nowhere_else()
    {
        const string secret = "s3cr3t-value";
        await using var elsewhere = await StartAsync(FeedKind.Finite);
        await using var server = await StartAsync(ScriptedDialect.Record, endless: false, redirect: false);
        server.Faults.Add(new UnauthorizedFault { Token = $"me:{secret}", Scheme = AuthenticationScheme.Basic });
        server.Faults.Add(new RedirectFault { To = elsewhere.FeedUri.ToString(), Path = "/servers/0" });
        var feed = new UriBuilder(server.FeedUri) { UserName = "me", Password = secret }.Uri;
        var report = await FeedConformance.CheckAsync(
            new FeedOptions { Uri = feed, Headers = [new("X-Key", secret)] },
            Options(),
            cancellationToken: Cancelled
        );
        Assert.Equal([307, 307, 200, 200], server.Requests.Select(request => request.Status).Order().Reverse());
        Assert.DoesNotContain("Authorization", elsewhere.Requests[0].Headers.Keys);
        Assert.DoesNotContain("X-Key", elsewhere.Requests[0].Headers.Keys);
        Assert.DoesNotContain(secret, report.ToNUnitXml(), StringComparison.Ordinal);
    }

    private static Task<ConformanceReport> CheckAsync(LockstepTestServer server) =>
        FeedConformance.CheckAsync(new FeedOptions { Uri = server.FeedUri }, Options(), cancellationToken: Cancelled);

    private static ConformanceOptions Options() => new() { Settle = TimeSpan.FromMilliseconds(500), Heartbeat = TimeSpan.FromSeconds(2) };

    private static Task<LockstepTestServer> StartAsync(FeedKind feed) =>
        LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Feed = feed }, cancellationToken: Cancelled);

    private static Task<LockstepTestServer> StartAsync(ScriptedDialect dialect, bool endless, bool redirect)
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = Records,
        };
        (options.Scripted.Dialect, options.Scripted.Endless, options.Scripted.RedirectToSnapshot, options.Scripted.AnnounceCount) = (
            dialect,
            endless,
            redirect,
            true
        );
        options.Scripted.HeartbeatInterval = endless ? TimeSpan.FromSeconds(1) : null;
        return LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
    }
}
