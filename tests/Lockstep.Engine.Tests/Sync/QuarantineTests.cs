using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The quarantine: what goes in, what stays, and what is reported.</summary>
public sealed class QuarantineTests : SyncTest
{
    [Fact]
    [Trait("Invariant", "I8")]
    public async Task The_same_bytes_at_the_same_place_are_set_aside_once_however_often_they_come()
    {
        var bad = "{\"id\":2}\n";
        await using var server = RawServer.WithBodies(Record(1, 1) + bad, Record(1, 1) + bad, bad + Record(1, 1) + "{\"id\":3}\n");

        for (var i = 0; i < 3; i++)
            await SyncRun.ToEndAsync(Quarantining(server));

        // The same bytes elsewhere, and other bytes there, count as different.
        Assert.Equal(
            [(Record(1, 1).Length, bad), (0, bad), (bad.Length + Record(1, 1).Length, "{\"id\":3}\n")],
            new Table(TablePath).ReadQuarantined().Select(q => ((int)q.ByteOffset, Encoding.UTF8.GetString(q.Bytes.Span) + "\n"))
        );
    }

    [Fact]
    [Trait("Invariant", "I8")]
    public async Task Beyond_its_limit_the_oldest_go_and_that_is_said()
    {
        var body = string.Concat(Enumerable.Range(1, 10).Select(i => $"bad{i}\n")) + Record(1, 1);
        await using var server = RawServer.WithBodies(body);

        var run = await SyncRun.ToEndAsync(Quarantining(server, limit: 4));

        Assert.Equal(
            ["bad7", "bad8", "bad9", "bad10"],
            new Table(TablePath).ReadQuarantined().Select(q => Encoding.UTF8.GetString(q.Bytes.Span))
        );
        Assert.Equal((10L, 4L), (run.Result.Malformed, run.Result.Quarantined));
        Assert.Contains(
            run.Events,
            e => e.Kind == FeedEventKind.Warning && e.Message.Contains("the oldest 6 were dropped", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(MalformedRecordPolicy.Stop)]
    [InlineData(MalformedRecordPolicy.Quarantine)]
    public async Task An_answer_that_is_cut_within_a_record_and_comes_whole_the_next_time_leaves_nothing_malformed(
        MalformedRecordPolicy policy
    )
    {
        await using var server = new RawServer(async exchange =>
        {
            var body = Record(1, 1) + Record(2, 2);
            if (exchange.Number == 1)
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body[..^10]}");
            else if (exchange.Number == 2)
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body[..^10]}");
            else
                await exchange.BodyAsync(body);
        });

        var run = await SyncRun.ToEndAsync(Options(server, retries: 3, malformed: policy));

        Assert.Equal((SyncOutcome.Complete, 0L, 0L), (run.Result.Outcome, run.Result.Malformed, run.Result.Quarantined));
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task Emptying_it_leaves_the_records()
    {
        await using var server = RawServer.WithBodies("bad\n" + Record(1, 1));
        await SyncRun.ToEndAsync(Quarantining(server));

        Assert.Equal(1, new Table(TablePath).ClearQuarantined());

        Assert.Equal((0L, 1L), (Info.Quarantined, Info.Rows));
        Assert.Empty(new Table(TablePath).ReadQuarantined());
    }

    [Fact]
    public async Task Its_count_is_in_the_result_and_in_the_warnings()
    {
        await using var server = RawServer.WithBodies("bad\n" + Record(1, 1) + "worse\n", Record(1, 1));

        var first = await SyncRun.ToEndAsync(Quarantining(server));
        var second = await SyncRun.ToEndAsync(Quarantining(server));

        Assert.Equal((2L, 2L), (first.Result.Malformed, first.Result.Quarantined));
        string[] warnings = [.. first.Events.Where(e => e.Kind == FeedEventKind.Warning).Select(e => e.Message)];
        Assert.Contains("at byte 0", warnings[0], StringComparison.Ordinal);
        Assert.Equal("2 malformed records came in this sync; the quarantine holds 2.", warnings[1]);
        // A sync that adds none still says what there is.
        Assert.Equal((0L, 2L), (second.Result.Malformed, second.Result.Quarantined));
        Assert.DoesNotContain(second.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task That_all_records_are_malformed_is_an_error_that_names_the_likely_field_and_the_option(bool follow)
    {
        await using var server = RawServer.WithBodies(
            "{\"id\":1,\"name\":\"a\",\"updatedAt\":5}\n{\"id\":2,\"name\":\"b\",\"updatedAt\":6}\n"
        );

        (var error, _) = await SyncRun.ToErrorAsync<AllRecordsMalformedException>(Quarantining(server, follow: follow));

        Assert.Equal((2L, "AllRecordsMalformed"), (error.Count, error.ErrorId));
        Assert.Contains("its fields are updatedAt, id, name", error.Message, StringComparison.Ordinal);
        Assert.Contains("OrderBy updatedAt", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(2, Info.Quarantined);
    }

    [Theory]
    [InlineData("{\"name\":\"x\",\"uuid\":\"u\",\"updated_at\":4}\n", "its fields are uuid, name, updated_at", "KeyFields uuid")]
    [InlineData("{\"x\":1,\"user_id\":7,\"updated_at\":4}\n", "its fields are user_id, x, updated_at", "KeyFields user_id")]
    [InlineData(
        "{\"txid\":4,\"current_xmin\":4,\"since\":4,\"deleted\":false,\"data\":{\"a\":1,\"id\":7}}\n",
        "its fields are id, a",
        "KeyFields id"
    )]
    public async Task A_first_record_without_the_key_names_the_fields_that_it_has(string body, string fields, string option)
    {
        await using var server = RawServer.WithBodies(body);

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Keyed(server, "code"));

        Assert.Contains(fields, error.Message, StringComparison.Ordinal);
        Assert.Contains(option, error.RecommendedAction, StringComparison.Ordinal);
    }

    private SyncOptions Quarantining(RawServer server, int limit = 10_000, bool follow = false) =>
        Options(server, follow: follow, malformed: MalformedRecordPolicy.Quarantine, quarantineLimit: limit, since: "0");

    private SyncOptions Keyed(RawServer server, string key) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            KeyFields = [key],
        };
}
