using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Every way in which a sync ends, and what it leaves behind.</summary>
public sealed class EndingTests : SyncTest
{
    [Theory]
    [InlineData(true, false, "it resumes from")]
    [InlineData(false, false, "the feed is read from its beginning")]
    [InlineData(false, true, "the feed is read from its beginning")]
    public async Task What_the_next_sync_does_after_a_cut_is_said_as_it_will_be(bool inOrder, bool isTorn, string advice)
    {
        var body = inOrder ? Record(1, 1) + Record(2, 2) : Record(2, 2) + Record(1, 1);
        await using var server = new RawServer(exchange =>
            isTorn
                ? exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}{{\"id\":")
                : exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length + 50}\r\n\r\n{body}")
        );

        (var error, _) = await SyncRun.ToErrorAsync<FeedException>(Options(server));

        Assert.StartsWith($"Sync again: {advice}", error.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_ends_without_a_length_is_incomplete_and_a_warning_says_so()
    {
        await using var server = new RawServer(exchange =>
            exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{Record(1, 1)}")
        );

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal((SyncOutcome.Incomplete, SyncEndReason.EndOfFeed), (run.Result.Outcome, run.Result.EndReason));
        Assert.Contains(run.Events, e => e.Kind == FeedEventKind.Warning);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_finite_body_ends_with_the_end_of_the_feed_however_slowly_it_comes()
    {
        var body = Record(1, 1) + Record(2, 2);
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body[..50]}");
            await pace.ReceivedAsync(50);
            await pace.PassAsync(TimeSpan.FromSeconds(0.5));
            await exchange.SendAsync(body[50..]);
        });

        (var sync, pace) = Paced(Options(server, settle: 0.05));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.EndOfFeed, 2L, 1.0), (run.Result.EndReason, run.Result.Added, run.Result.ShareDone ?? 1.0));
        Assert.Equal(SyncPhase.Ended, run.Result.State.Phase);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task An_endless_body_that_falls_silent_settles_and_a_slow_first_byte_is_not_silence()
    {
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await pace.ConnectedAsync();
            await pace.PassAsync(TimeSpan.FromSeconds(0.7));
            await exchange.ChunkAsync(Record(1, 1));
            await pace.ReceivedAsync(Record(1, 1).Length);
            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });

        (var sync, pace) = Paced(Options(server, settle: 0.2));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal((SyncEndReason.Settled, 1L), (run.Result.EndReason, run.Result.Added));
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_long_stretch_that_is_known_already_is_not_taken_for_the_end()
    {
        var known = string.Concat(Enumerable.Range(1, 90).Select(i => Record(i, i)));
        Pace pace = null!;
        await using var server = new RawServer(async exchange =>
        {
            if (exchange.Number == 1)
            {
                await exchange.BodyAsync(known);
                return;
            }

            await exchange.ChunkedAsync();
            var sent = 0;
            for (var i = 1; i <= 91; i++)
            {
                await exchange.ChunkAsync(Record(i, i));
                await pace.ReceivedAsync(sent += Record(i, i).Length);
                await pace.PassAsync(TimeSpan.FromMilliseconds(5));
            }

            await pace.PassUntilAsync(exchange.ClientClosedAsync());
        });
        await SyncRun.ToEndAsync(Options(server));

        (var sync, pace) = Paced(Options(server, since: "1", settle: 0.3, idle: 2));
        var run = await SyncRun.ToEndAsync(sync);

        Assert.Equal(1, run.Result.Added);
    }

    [Fact]
    public async Task Following_for_a_time_ends_when_it_is_over_also_while_nobody_answers()
    {
        await using var server = new RawServer(exchange => exchange.StallAsync());

        var run = await SyncRun.ToEndAsync(Options(server, followFor: TimeSpan.FromSeconds(0.4)));

        Assert.Equal(SyncEndReason.TimeElapsed, run.Result.EndReason);
        Assert.True(run.Result.Duration < TimeSpan.FromSeconds(15));
    }

    [Theory]
    [InlineData("{\"name\":\"x\"}\n", "order field")]
    [InlineData("not json at all\n", "not a JSON object")]
    [InlineData("<html><body>{error}</body></html>\n", "the body is an HTML page")]
    [InlineData("{\"id\":1,\"updated_at\":1,\"a\":\"x\n", "breaks off")]
    [InlineData("{\"id\":1,\"updated_at\":[}\n", "JSON")]
    [InlineData("{\"id\":null,\"updated_at\":4}\n", "'id'")]
    public async Task A_wrong_first_record_names_its_offset_and_shows_a_snippet(string body, string reason)
    {
        await using var server = RawServer.WithBodies("\n" + body);

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Options(server));

        Assert.Equal(1, error.ByteOffset);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(error.Snippet.Trim(), body.Trim(), StringComparison.Ordinal);
        Assert.Equal("MalformedRecord", error.ErrorId);
        Assert.NotEmpty(error.RecommendedAction);
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public async Task What_came_before_a_wrong_record_is_kept_and_the_next_sync_goes_on_from_there()
    {
        await using var server = RawServer.WithBodies(
            Record(1, 5) + Record(2, 6) + "{\"id\":3}\n" + Record(4, 8),
            Record(2, 6) + Record(3, 7) + Record(4, 8)
        );

        (var error, _) = await SyncRun.ToErrorAsync<MalformedRecordException>(Options(server));
        Assert.Equal(Record(1, 5).Length + Record(2, 6).Length, error.ByteOffset);
        Assert.Equal(["1", "2"], Keys);
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["0", "6"], server.Cursors);
        Assert.Equal(["1", "2", "3", "4"], Keys);
    }

    [Fact]
    public async Task A_body_that_ends_within_a_record_is_truncated_and_can_be_resumed()
    {
        await using var server = RawServer.WithBodies(
            Record(1, 5) + "{\n \"id\": 2,\n \"list\": [\n{\"id\":77,\"updated_at\":7},\n",
            Record(2, 6)
        );

        (var error, _) = await SyncRun.ToErrorAsync<TruncatedFeedException>(Options(server));
        Assert.True(error.IsTransient);
        Assert.Equal(Record(1, 5).Length, error.ByteOffset);
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public async Task Malformed_records_are_set_aside_on_request_with_their_bytes_and_offset()
    {
        byte[] body =
        [
            .. "oops\n"u8,
            .. Encoding.UTF8.GetBytes(Record(1, 5)),
            .. "{\"id\":2,\"updated_at\":\""u8,
            0xFF,
            .. "\"}\n{\"id\":3,\"updated_at\":6,\"long\":\""u8,
            .. Encoding.ASCII.GetBytes(new string('x', 3000)),
            .. "\"}\n"u8,
            .. Encoding.UTF8.GetBytes(Record(4, 7)),
        ];
        await using var server = new RawServer(exchange => exchange.BodyAsync(body));

        var run = await SyncRun.ToEndAsync(Options(server, malformed: MalformedRecordPolicy.Quarantine, maximum: 2000));

        Assert.Equal((3L, 2L), (run.Result.Malformed, run.Result.Added));
        QuarantinedRecord[] aside = [.. new Table(TablePath).ReadQuarantined()];
        Assert.Equal([0L, 5 + Record(1, 5).Length, 5 + Record(1, 5).Length + 26], aside.Select(q => q.ByteOffset));
        Assert.Equal("oops", Encoding.UTF8.GetString(aside[0].Bytes.Span));
        Assert.Contains(aside[1].Bytes.ToArray(), b => b == 0xFF);
        Assert.Contains("maximum record size", aside[2].Reason, StringComparison.Ordinal);
        Assert.Equal(3, Info.Quarantined);
        Assert.Equal(["1", "4"], Keys);
    }

    [Fact]
    [Trait("Invariant", "I8")]
    public async Task Malformed_records_do_not_pile_up_while_no_good_one_comes()
    {
        var garbage = string.Concat(Enumerable.Repeat("nonsense\n", 20_000));
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(garbage);
            await exchange.StallAsync();
        });
        var sync = new TableSync(Options(server, follow: true, malformed: MalformedRecordPolicy.Quarantine, quarantineLimit: 30_000));

        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (sync.Result.Malformed == 20_000 && Info.Quarantined == 20_000)
                break;
        }
    }

    [Fact]
    public async Task A_key_that_is_guessed_is_told_once()
    {
        await using var server = RawServer.WithBodies("{\"name\":\"a\",\"updated_at\":1}{\"name\":\"b\",\"updated_at\":2}");

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Contains("'name'", Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], Keys);
    }

    [Fact]
    public async Task The_first_odd_mark_of_a_deletion_is_told_once_with_what_it_was_taken_for()
    {
        await using var server = RawServer.WithBodies(
            "{\"id\":1,\"updated_at\":1,\"deleted_at\":\"0\"}\n{\"id\":2,\"updated_at\":2,\"deleted_at\":0}\n"
                + "{\"id\":3,\"updated_at\":3,\"deleted_at\":3}\n"
        );

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Contains(
            "'deleted_at' is the string \"0\", which counts as not deleted",
            Assert.Single(run.Events, e => e.Kind == FeedEventKind.Warning).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task A_number_beyond_64_bits_among_integer_keys_is_one_more_key()
    {
        await using var server = RawServer.WithBodies(
            Record(5, 1) + Record(6, 2) + "{\"id\":99999999999999999999,\"updated_at\":3}\n" + Record(7, 4),
            Record(5, 9) + "{\"id\":0.5,\"updated_at\":10}\n"
        );

        await SyncRun.ToEndAsync(Options(server));
        Assert.Equal(["5", "6", "7", "99999999999999999999"], Keys);
        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(["5", "0.5"], run.Changes.Select(c => c.Key.ToString()));
        Assert.Equal(5, Info.Rows);
    }

    [Fact]
    public async Task A_table_of_another_feed_key_or_order_field_is_refused()
    {
        await using var server = RawServer.WithBodies(Record(1, 1));
        await SyncRun.ToEndAsync(Options(server));

        await SyncRun.ToErrorAsync<TableMismatchException>(Options(server, uri: new Uri(server.Root, "/others/")));
        await SyncRun.ToErrorAsync<TableMismatchException>(Mismatch(server, key: "ip"));
        await SyncRun.ToErrorAsync<TableMismatchException>(Mismatch(server, order: "at"));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_file_that_cannot_be_a_table_is_refused_before_anything_is_asked()
    {
        await using var server = RawServer.WithBodies(Record(1, 1));
        await File.WriteAllTextAsync(TablePath, new string('x', 3000), Cancellation);

        await SyncRun.ToErrorAsync<TableFileException>(Options(server));
        await SyncRun.ToErrorAsync<TableFileException>(SyncRun.Options(server.FeedUri, Folder("no/such/folder.db")));
        await SyncRun.ToErrorAsync<TableFileException>(SyncRun.Options(server.FeedUri, TablePath + "/t.db"));

        Assert.Empty(server.Requests);
        Assert.Equal(new string('x', 3000), await File.ReadAllTextAsync(TablePath, Cancellation));
    }

    [Fact]
    public async Task A_folder_that_vanishes_under_a_sync_is_an_error_and_no_hang()
    {
        var path = Folder("sub/t.db");
        Directory.CreateDirectory(Folder("sub"));
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(Record(1, 1));
            await exchange.StallAsync();
        });
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri },
                Store = new FileTableStore(path),
                WantsChanges = true,
            }
        );
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is ChangesCommitted)
                Directory.Delete(Folder("sub"), recursive: true);
        }

        Assert.Equal(SyncEndReason.Settled, sync.Result.EndReason);
        await SyncRun.ToErrorAsync<TableFileException>(SyncRun.Options(server.FeedUri, path));
    }

    [Fact]
    public async Task A_sync_that_brought_nothing_leaves_no_file()
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("404 Not Found"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Options(server));

        Assert.Equal(404, (int)error.Status);
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(TablePath)!));
    }

    [Theory]
    [InlineData("<html><body>no feed</body></html>\n")]
    [InlineData("{\"id\":1,\"updated_at\":1")]
    [InlineData("{\"name\":\"x\"}\n")]
    public async Task A_first_sync_that_fails_in_the_body_leaves_no_file_but_one_that_ends_well_does(string body)
    {
        await using var server = RawServer.WithBodies(body, "");

        await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(Options(server)));
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(TablePath)!));
        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(0, Info.Rows);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_second_sync_of_the_file_is_told_who_is_at_it_or_waits()
    {
        await using var server = RawServer.WithBodies(Record(1, 1));
        var held = WriterLock.Take(TablePath);

        (var error, _) = await SyncRun.ToErrorAsync<TableBusyException>(Options(server));
        Assert.Contains($"process {Environment.ProcessId} ", error.Holder, StringComparison.Ordinal);
        var time = new ManualTimeProvider();
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            WaitForWriter = true,
        };
        var waiting = SyncRun.ToEndAsync(new TableSync(options, time));
        // It checks the lock from time to time, while the consumer waits for it.
        await time.WaitForTimersAsync(2, Cancellation);
        time.Advance(TimeSpan.FromSeconds(1));
        await time.WaitForTimersAsync(2, Cancellation);
        Assert.False(waiting.IsCompleted);
        held.Dispose();
        time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(1, (await waiting).Result.Added);
    }

    private SyncOptions Mismatch(RawServer server, string? key = null, string? order = null) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = new FileTableStore(TablePath),
            KeyFields = key is null ? null : [key],
            OrderBy = order,
            Dialect = Dialect.Auto,
        };
}
