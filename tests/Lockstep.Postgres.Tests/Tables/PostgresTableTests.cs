using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Postgres.Tests.Tables;

public sealed class PostgresTableTests(SharedPostgres postgres)
{
    private const int Records = 60;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(5, false)]
    [InlineData(6, false)]
    public async Task It_does_what_a_table_file_does(int seed, bool coalesces)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var random = new Random(seed);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces, Cancel);
        long order = 1;
        for (var round = 0; round < 25; round++)
        {
            switch (random.Next(12))
            {
                case 0:
                    twins.Snapshot(SnapshotEnding.Sweep, [Some(20), Some(5)]);
                    break;
                case 1:
                    twins.Snapshot(SnapshotEnding.MergeOnly, [Some(8)]);
                    break;
                case 2:
                    twins.Snapshot(SnapshotEnding.Sweep | SnapshotEnding.ForgetOrder, [Some(15)]);
                    break;
                case 3:
                    twins.Snapshot(SnapshotEnding.Sweep, [Some(3)], givesUp: true);
                    break;
                case 4:
                    twins.ClearTombstones(Cursor.Parse($"{random.NextInt64(order) + 1}"));
                    break;
                case 5 when random.Next(3) == 0:
                    twins.Clear();
                    break;
                default:
                    twins.Commit(Some(random.Next(1, 15)), Cursor.Parse($"{order}"));
                    break;
            }

            twins.AssertEqual();
            twins.AssertAlike(
                new RecordQuery { Filter = "id > 5 and value like '1%'", Since = random.Next(2) == 0 ? random.NextInt64(60) : null }
            );
        }

        List<string> Some(int count) =>
            [
                .. Enumerable
                    .Range(0, count)
                    .Select(_ =>
                    {
                        var at =
                            random.Next(4) == 0 ? $"{Math.Max(1, order - random.Next(5))}"
                            : random.Next(10) == 0 ? $"{++order}.5"
                            : $"{++order}";
                        var key = seed == 4 && random.Next(3) == 0 ? $"{random.Next(20)}.5" : $"{random.Next(20)}";
                        return $$"""{"id":{{key}},"updated_at":{{at}},"deleted_at":{{(random.Next(4) == 0 ? at : "null")}}"""
                            + $$""","value":"{{random.Next(3)}} äöü"}""";
                    }),
            ];
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Trait("Invariant", "I3")]
    public async Task It_judges_each_record_as_a_table_file_does(bool bySnapshot)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        var id = 0;
        List<string> live = [],
            swept = [],
            coming = [];
        foreach (var stored in (string[])["nothing", "live", "deleted", "swept"])
        {
            foreach (var order in (int[])[9, 10, 11])
            {
                foreach (var (isDeleted, value) in (ReadOnlySpan<(bool, string)>)[(false, "a"), (false, "b"), (true, "a"), (true, "b")])
                {
                    id++;
                    if (stored != "nothing")
                        (stored == "swept" ? swept : live).Add(Json(id, 10, stored == "deleted", "a"));
                    coming.Add(Json(id, order, isDeleted, value));
                }
            }
        }

        twins.Commit([.. live, .. swept]);
        twins.Snapshot(SnapshotEnding.Sweep, [live]);
        if (bySnapshot)
            twins.Snapshot(SnapshotEnding.MergeOnly, [coming]);
        else
            twins.Commit(coming);
        twins.AssertEqual();
        // The order value may have risen without a change: the rows in between show it.
        twins.Commit(Enumerable.Range(1, id).Select(key => Json(key, 10, isDeleted: false, "c")));
        twins.AssertEqual();

        static string Json(int id, int order, bool isDeleted, string value) =>
            $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{(isDeleted ? "1" : "null")}},"value":"{{value}}"}""";
    }

    [Fact]
    [Trait("Invariant", "I3")]
    public async Task The_same_content_with_a_risen_order_value_is_no_change_and_its_order_value_counts()
    {
        static string Row(long since, string value) =>
            $$$"""{"txid":{{{since}}},"since":{{{since}}},"deleted":false,"data":{"id":1,"value":"{{{value}}}"}}""";
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        twins.Commit([Row(1, "a")]);
        var before = twins.State.Sequence;

        twins.Commit([Row(10, "a")]);
        twins.Commit([Row(9, "stale")]);
        twins.Snapshot(
            SnapshotEnding.Sweep,
            [
                [Row(20, "a")],
            ]
        );
        twins.Commit([Row(19, "stale")]);

        Assert.Equal(before, twins.State.Sequence);
        twins.AssertEqual();
        twins.Commit([Row(20, "newer")]);
        twins.AssertEqual();
        Assert.Equal(before + 1, twins.State.Sequence);
    }

    [Fact]
    [Trait("Invariant", "I6")]
    public async Task What_a_set_holds_malformed_stays_and_a_set_that_is_owed_is_remembered()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        twins.Commit(Enumerable.Range(1, 5).Select(id => $$"""{"id":{{id}},"updated_at":{{id}}}"""));

        twins.Snapshot(
            SnapshotEnding.Sweep,
            [
                ["""{"id":1,"updated_at":1}"""],
            ],
            kept: [3, 4, 99]
        );
        twins.Commit(
            new TableCommit
            {
                Owed = new OwedSet(2, DateTimeOffset.UnixEpoch) { Refused = new RefusedSweep(20, 30) },
                SweepLimit = 80,
            }
        );

        twins.AssertEqual();
        Assert.Equal(3, twins.State.Rows);
        Assert.Equal("2: 1 4", twins.CountAbsent(["""{"id":7,"updated_at":7}"""], kept: 3));
        Assert.Equal("2: 1 3", twins.CountAbsent(["""{"id":4,"updated_at":4}""", """{"id":0.5,"updated_at":9}"""]));
        Assert.Equal("3: 1 3 4", twins.CountAbsent([]));
        twins.AssertEqual();
        Assert.All(
            [twins.File, twins.Postgres],
            table => Assert.Equal((true, 80), (table.GetInfo().IsSetOwed, table.GetInfo().SweepLimit))
        );
        twins.Commit(new TableCommit { PaysOwed = true });
        Assert.All([twins.File, twins.Postgres], table => Assert.False(table.GetInfo().IsSetOwed));
    }

    [Fact]
    [Trait("Invariant", "I3")]
    public async Task Within_a_snapshot_the_order_value_of_what_comes_again_counts()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);

        twins.Snapshot(
            SnapshotEnding.Sweep,
            [
                ["""{"txid":1,"since":5,"data":{"id":1,"value":"a"}}"""],
                ["""{"txid":1,"since":9,"data":{"id":1,"value":"a"}}"""],
                ["""{"txid":2,"since":7,"data":{"id":1,"value":"older"}}"""],
            ]
        );

        twins.AssertEqual();
    }

    [Fact]
    public async Task A_sync_goes_on_from_its_cursor_and_the_records_read_alike()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        Assert.Empty(store.Find());
        Assert.Throws<TableNotFoundException>(() => store.Get("servers"));

        for (var i = 1; i <= 3; i++)
            server.AddRecord(Record(i, i));
        Assert.Equal((3, 0), Counts(await SyncAsync(server, store)));
        server.AddRecord(Encoding.UTF8.GetBytes("""{"id":2,"updated_at":4,"deleted_at":4}"""));
        var second = await SyncAsync(server, store);
        Assert.Equal((0, 1), Counts(second));
        Assert.Equal("3", server.Requests[^1].Cursor);
        Assert.Equal(store.Description, second.Location);

        var table = Assert.Single(store.Find());
        var info = table.GetInfo();
        Assert.Equal(
            ("servers", 2, 1, "4", (string?)null),
            (info.Name, (int)info.Rows, (int)info.Tombstones, info.Cursor.ToString(), info.Writer)
        );
        Assert.Equal(["1", "3"], Keys(table, RecordQuery.All));
        Assert.Equal(
            ["3"],
            Keys(
                table,
                new RecordQuery
                {
                    Keys =
                    [
                        [3L],
                        [99L],
                        ["x"],
                    ],
                }
            )
        );
        Assert.Equal(["2"], Keys(table, new RecordQuery { Since = 3 }));
        Assert.Equal(
            ["2"],
            Keys(
                table,
                new RecordQuery
                {
                    IncludeDeleted = true,
                    Skip = 1,
                    First = 1,
                }
            )
        );
        Assert.Equal(3, table.Count(new RecordQuery { IncludeDeleted = true, First = 1 }));
        Assert.Throws<FilterException>(() =>
            table.Read(
                new RecordQuery
                {
                    Keys =
                    [
                        [1L, 2L],
                    ],
                }
            )
        );
    }

    [Fact]
    public async Task A_filter_means_what_it_means_on_a_table_file()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        twins.Commit(
            Enumerable
                .Range(1, 2500)
                .Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"deleted_at":{{(i % 7 == 0 ? i : "null")}},"value":"v{{i % 5}}"}""")
        );
        string[] filters =
        [
            "id % 3 = 0",
            "value = :wanted",
            "value is null",
            "updated_at between 900 and 2100",
            "(",
            "nothing = 1",
            "1); DELETE FROM lockstep_row; --",
            "id in (select 1 from sqlite_master)",
            "load_extension('x')",
            "json_extract(value, '$') = 1",
        ];
        foreach (var filter in filters)
        {
            var query = new RecordQuery
            {
                Filter = filter,
                FilterParameters = filter.Contains(':', StringComparison.Ordinal)
                    ? new Dictionary<string, object?> { ["wanted"] = "v2" }
                    : RecordQuery.All.FilterParameters,
            };
            twins.AssertAlike(query);
            twins.AssertAlike(query with { Skip = 350, First = 130 });
            twins.AssertAlike(
                query with
                {
                    IncludeDeleted = true,
                    Keys =
                    [
                        [3L],
                        [6L],
                        [7L],
                        [9L],
                        [14L],
                        [2402L],
                    ],
                }
            );
            twins.AssertAlike(query with { Since = 2300, First = 40 });
        }

        twins.AssertEqual();
    }

    [Fact]
    public async Task A_table_without_records_reads_empty_and_what_is_set_aside_is_kept()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        var at = new DateTimeOffset(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
        using (var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
        {
            target.Commit(
                new TableCommit
                {
                    Quarantined =
                    [
                        new QuarantinedRecord(at, 7, "no object", "[1]"u8.ToArray()),
                        new QuarantinedRecord(at, 10, "no key", "{}"u8.ToArray()),
                    ],
                }
            );
        }

        var table = store.Get("t");
        using (var scan = table.Read(new RecordQuery { Filter = "1" }))
            Assert.False(scan.Read());
        Assert.Equal(0, table.Count(RecordQuery.All));
        Assert.Equal(["[1]", "{}"], table.ReadQuarantined().Select(record => Encoding.UTF8.GetString(record.Bytes.Span)));
        Assert.Equal(
            (at, 7L, "no object"),
            table.ReadQuarantined().Select(record => (record.At, record.ByteOffset, record.Reason)).First()
        );
        Assert.Equal(2, table.GetInfo().Quarantined);
        table.Clear();
        Assert.Empty(table.ReadQuarantined());
    }

    [Fact]
    public async Task What_is_set_aside_is_one_copy_of_the_same_bytes_at_the_same_place_bounded_and_can_be_emptied()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        QuarantinedRecord Bad(int place) => new(DateTimeOffset.UnixEpoch, place, "no key", "{}"u8.ToArray());
        using (var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
        {
            target.Commit(new TableCommit { Quarantined = [Bad(1), Bad(2)] });
            target.Commit(new TableCommit { Quarantined = [Bad(1), Bad(2), Bad(3)] });
            Assert.Equal((3L, 0L), (target.Committed.Quarantined, target.Committed.QuarantineDropped));
            target.Commit(new TableCommit { Quarantined = [Bad(4)], QuarantineLimit = 2 });
            Assert.Equal((2L, 2L), (target.Committed.Quarantined, target.Committed.QuarantineDropped));
        }

        var table = store.Get("t");
        Assert.Equal([3L, 4L], table.ReadQuarantined().Select(record => record.ByteOffset));
        using (var again = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
            Assert.Equal(2, again.Committed.Quarantined);

        Assert.Equal(2, table.ClearQuarantined());
        Assert.Empty(table.ReadQuarantined());
    }

    [Fact]
    public async Task A_first_sync_that_fails_leaves_no_table()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        server.Faults.Add(new StatusFault { Code = 500 });

        await Assert.ThrowsAsync<FeedStatusException>(() => SyncAsync(server, store));
        Assert.Empty(store.Find());
        server.Faults.Clear();
        server.AddRecord(Record(1, 1));
        await SyncAsync(server, store);

        Assert.Equal(1, Assert.Single(store.Find()).GetInfo().Rows);
    }

    [Fact]
    public async Task What_writes_waits_for_a_writer_whose_connection_the_server_still_has()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        server.AddRecord(Record(1, 1));
        var store = new PostgresTableStore(db.ConnectionString) { Patience = Eventually.Deadline };
        await SyncAsync(server, store);
        var table = store.Get("servers");
        foreach (var write in (Action[])[() => table.ClearQuarantined(), () => store.RequireFree("servers"), table.Clear])
        {
            var gone = await db.ConnectAsync();
            await gone.ExecuteAsync($"SELECT pg_advisory_lock({TableSql.LockClass}, {table.Id})", Cancel);
            var waiting = Task.Run(write, Cancel);
            await Eventually.TrueAsync(async () =>
                waiting.IsCompleted
                || await db.ScalarAsync("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0"
            );
            await gone.DisposeAsync();
            await waiting;
        }

        Assert.Equal(0, table.GetInfo().Rows);
    }

    [Fact]
    public async Task A_writer_that_has_ended_leads_no_more()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString) { Patience = TimeSpan.Zero };
        for (var i = 0; i < 20; i++)
        {
            using (var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel))
                target.Commit(new TableCommit { Cursor = Cursor.Parse("1") });
            store.Get("t").Clear();
        }
    }

    [Fact]
    public async Task What_writes_needs_the_table_to_itself_and_what_is_removed_is_gone()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        server.AddRecord(Record(1, 1));
        var store = new PostgresTableStore(db.ConnectionString) { Patience = TimeSpan.Zero };
        await SyncAsync(server, store);
        PostgresTable table = store.Get("servers"),
            stale = store.Get("servers");
        using (await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            foreach (var write in (Action[])[table.Clear, table.Remove, () => table.ClearTombstones(Cursor.Parse("1"))])
                Assert.Contains("lockstep from 127.0.0.1", Assert.Throws<TableBusyException>(write).Holder, StringComparison.Ordinal);
        }

        // The one that waits in line gets a table of that name, not the one that is removed while it waits.
        using var first = await store.OpenAsync("servers", default, TimeProvider.System, Cancel);
        var second = Task.Run(() => store.OpenAsync("servers", default, TimeProvider.System, Cancel), Cancel);
        await Eventually.TrueAsync(async () =>
            await db.ScalarAsync(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%' AND datname = current_database()"
            ) != "0"
        );
        ((PostgresTableWriter)first).Remove();
        Assert.Throws<TableNotFoundException>(() => stale.GetInfo());
        first.Dispose();
        using (var target = await second)
        {
            Assert.Equal(("0", 0L), (target.State.Cursor.ToString(), target.State.Sequence));
            // One into which nothing came would be removed again.
            target.Commit(new TableCommit { At = DateTimeOffset.UnixEpoch });
        }

        Assert.Throws<TableNotFoundException>(stale.Clear);

        store.Get("servers").Remove();
        Assert.Empty(store.Find());
        Assert.Equal((1, 0), Counts(await SyncAsync(server, store)));
    }

    [Fact]
    public async Task A_watcher_sees_each_change_as_it_is_committed_and_a_waiter_what_it_waits_for()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var twins = await TwinTables.OpenAsync(new PostgresTableStore(db.ConnectionString), coalesces: true, Cancel);
        twins.Commit([Text(1, 1), Text(2, 2)], Cursor.Parse("2"));
        var table = twins.Postgres;
        Assert.Null(await table.WaitAsync(info => info.Rows > 2, TimeSpan.Zero, cancellationToken: Cancel));
        var waiting = table.WaitAsync(info => info.Rows > 2, null, cancellationToken: Cancel);

        List<string> seen = [];
        var step = 0;
        await foreach (var changes in table.WatchAsync(cancellationToken: Cancel))
        {
            seen.AddRange(changes.Select(change => $"{change.Kind} {change.Key}"));

            // It starts with new changes; and says so even if none comes.
            if (step == 0)
                twins.Commit([Text(2, 3), Text(3, 3), Gone(1, 4)], Cursor.Parse("4"));
            if (step++ > 0 && seen.Count >= 3)
                break;
        }

        Assert.Equal(["Updated 2", "Added 3", "Deleted 1"], seen);
        await foreach (var changes in table.WatchAsync(since: 0, cancellationToken: Cancel))
        {
            Assert.Equal(["Added 2", "Added 3", "Deleted 1"], changes.Select(change => $"{change.Kind} {change.Key}"));
            break;
        }

        twins.Commit([Text(4, 5)], Cursor.Parse("5"));
        Assert.Equal(3, (await waiting)!.Rows);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await stop.CancelAsync();
        await foreach (var _ in table.WatchAsync(cancellationToken: stop.Token))
            Assert.Fail("It was cancelled.");
    }

    [Fact]
    public async Task A_comparison_finds_what_differs_from_the_feed()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        for (var i = 1; i <= 3; i++)
            server.AddRecord(Record(i, i));
        var store = new PostgresTableStore(db.ConnectionString);
        await SyncAsync(server, store);
        Assert.Empty(await CompareAsync());

        await db.RunAsync(
            "DELETE FROM lockstep_tables.lockstep_rows_1 WHERE seq = 1; UPDATE lockstep_tables.lockstep_rows_1 SET body = "
                + "'{\"id\":2}' WHERE seq = 2"
        );
        server.AddRecord(Encoding.UTF8.GetBytes("""{"id":3,"updated_at":4,"deleted_at":4}"""));
        Assert.Equal(["Missing 1", "Different 2", "Extra 3"], await CompareAsync());

        async Task<List<string>> CompareAsync()
        {
            List<string> found = [];
            await foreach (var step in new TableComparison(Options(server, store, follow: false)).RunAsync(Cancel))
            {
                if (step is DifferenceFound { Difference: var difference })
                    found.Add($"{difference.Kind} {difference.Key}");
            }

            return found;
        }
    }

    [Fact]
    public async Task When_the_leader_is_killed_the_one_that_waits_takes_over_and_nothing_is_lost_or_doubled()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await using var server = await StartAsync();
        var store = new PostgresTableStore(db.ConnectionString);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        List<TableChange> changes = [];
        var syncs = new List<Task> { Task.Run(() => FollowAsync(server, store, changes, stop.Token, mostRetries: 0), Cancel) };
        server.AddRecord(Record(0, 1));
        await Eventually.TrueAsync(() => store.Find() is [var table] && table.GetInfo() is { Rows: 1, Writer: not null });
        for (var kills = 1; kills <= 3; kills++)
        {
            // The next one in line, which must see no lead while the other one lives.
            syncs.Add(Task.Run(() => FollowAsync(server, store, changes, stop.Token, mostRetries: 0), Cancel));
            await Eventually.TrueAsync(async () =>
                await db.ScalarAsync(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%' AND datname = current_database()"
                ) != "0"
            );
            var leader = await db.ScalarAsync(
                "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM "
                    + "pg_database WHERE datname = current_database())"
            );

            // It dies in the middle of its work.
            for (var i = 1; i < Records; i++)
            {
                server.AddRecord(Record(i, kills * 1000 + i));
                if (i == Records / 2)
                    await db.RunAsync($"SELECT pg_terminate_backend({leader})");
            }

            await Assert.ThrowsAsync<TableStoreUnavailableException>(() => syncs[^2]);
            var last = kills * 1000 + Records - 1;
            await Eventually.TrueAsync(() => store.Get("servers").GetInfo().Cursor.ToString() == $"{last}");
        }

        await stop.CancelAsync();
        await syncs[^1];
        Assert.Equal(
            Enumerable
                .Range(0, Records)
                .Select(i => Encoding.UTF8.GetString(Record(i, i == 0 ? 1 : 3000 + i)))
                .Order(StringComparer.Ordinal),
            Read(store.Get("servers")).Order(StringComparer.Ordinal)
        );
        Assert.True(changes.Count >= Records);
        Assert.Equal(changes.Count, changes.Select(c => c.Sequence).Distinct().Count());
    }

    [Fact]
    public async Task A_leader_that_lost_the_lead_without_noticing_cannot_write()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        using var target = await store.OpenAsync("t", default, TimeProvider.System, Cancel);
        target.Commit(new TableCommit { Cursor = Cursor.Parse("1") });

        // As after a failover to a replica, which knows no advisory locks.
        await db.RunAsync("UPDATE lockstep_tables.lockstep_directory SET epoch = epoch + 1");
        Assert.Throws<TableLeaderException>(() => target.Commit(new TableCommit { Cursor = Cursor.Parse("2") }));
        Assert.Equal(("1", "1"), (target.State.Cursor.ToString(), store.Get("t").GetInfo().Cursor.ToString()));
    }

    [Fact]
    public async Task A_commit_that_waits_can_be_broken_off()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        using var target = await new PostgresTableStore(db.ConnectionString).OpenAsync("t", default, TimeProvider.System, Cancel);
        await using var other = await db.ConnectAsync();
        await other.ExecuteAsync("BEGIN; LOCK TABLE lockstep_tables.lockstep_directory", Cancel);
        var commit = Task.Run(() => target.Commit(new TableCommit { Cursor = Cursor.Parse("1") }), Cancel);
        await Eventually.TrueAsync(async () =>
            await db.ScalarAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
            == "1"
        );
        target.Interrupt();
        await Assert.ThrowsAsync<OperationCanceledException>(() => commit);
    }

    [Fact]
    public async Task What_the_database_refuses_is_told()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync("CREATE ROLE nobody_much LOGIN");
        var refused = new PostgresTableStore(
            db.ConnectionString.Replace("Username=lockstep", "Username=nobody_much", StringComparison.Ordinal)
        );
        await Assert.ThrowsAsync<PostgresAccessException>(() => refused.OpenAsync("t", default, TimeProvider.System, Cancel));
        Assert.Throws<TableStoreUnavailableException>(() => new PostgresTableStore("Host=127.0.0.1;Port=1;Password=s3cret").Find());
        Assert.Throws<ArgumentException>(() => new PostgresTableStore("Host=x;Pass word=s3cret"));
        Assert.DoesNotContain("s3cret", new PostgresTableStore("postgres://me:s3cret@db/app").Description, StringComparison.Ordinal);
        await db.RunAsync("DROP ROLE nobody_much");
    }

    private static byte[] Record(int id, long order) => Encoding.UTF8.GetBytes(Text(id, order));

    private static string Text(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":null}""";

    private static string Gone(int id, long order) => $$"""{"id":{{id}},"updated_at":{{order}},"deleted_at":{{order}}}""";

    private static (long Added, long Deleted) Counts(SyncResult result) => (result.Added, result.Deleted);

    private static List<string> Keys(PostgresTable table, RecordQuery query)
    {
        List<string> keys = [];
        using var scan = table.Read(query);
        while (scan.Read())
            keys.Add(scan.Key.ToString());
        return keys;
    }

    private static List<string> Read(PostgresTable table)
    {
        List<string> records = [];
        using var scan = table.Read();
        while (scan.Read())
            records.Add(Encoding.UTF8.GetString(scan.Json));
        return records;
    }

    private static Task<LockstepTestServer> StartAsync() =>
        LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Feed = FeedKind.Scripted }, cancellationToken: Cancel);

    private static SyncOptions Options(LockstepTestServer server, PostgresTableStore store, bool follow, int? mostRetries = null) =>
        new()
        {
            Feed = new FeedOptions { Uri = server.FeedUri },
            Store = store,

            Settle = TimeSpan.FromMilliseconds(200),
            Follow = follow,
            WantsChanges = true,
            RetryInterval = TimeSpan.FromMilliseconds(20),
            MaximumRetryCount = mostRetries,
        };

    private static async Task<SyncResult> SyncAsync(LockstepTestServer server, PostgresTableStore store)
    {
        var sync = new TableSync(Options(server, store, follow: false));
        await foreach (var _ in sync.RunAsync(Cancel)) { }

        return sync.Result;
    }

    private static async Task FollowAsync(
        LockstepTestServer server,
        PostgresTableStore store,
        List<TableChange> changes,
        CancellationToken cancellationToken,
        int? mostRetries = null
    )
    {
        try
        {
            await foreach (var step in new TableSync(Options(server, store, follow: true, mostRetries)).RunAsync(cancellationToken))
            {
                if (step is not ChangesCommitted committed)
                    continue;
                lock (changes)
                    changes.AddRange(committed.Changes);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The end of the test.
        }
    }
}
