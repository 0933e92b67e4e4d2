using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Postgres.Feed;
using Lockstep.Postgres.Replication;
using Lockstep.Postgres.Tests.Feed;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>A standby takes over from the server that streams: the change log continues if the slot came over with everything.</summary>
public sealed class ReplicationFailoverTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Clients_go_on_where_the_slot_has_come_over_and_start_over_where_it_has_not(bool isSynchronized)
    {
        var version = PostgresVersions.Asked.FirstOrDefault(v => v >= 17);
        if (isSynchronized && version == 0)
            Assert.Skip("Slots come over from PostgreSQL 17 on, and LOCKSTEP_POSTGRES names none of those versions.");
        using var folder = new TempFolder();
        string[] settings = ["wal_level=logical", "hot_standby_feedback=on"];
        await using var primary = await PostgresServer.StartAsync(
            isSynchronized ? version : null,
            Cancel,
            isSynchronized ? [.. settings, "primary_slot_name=standby", "sync_replication_slots=on"] : settings
        );
        await using var old = TestDatabase.Open(primary.ConnectionString);
        await old.RunAsync("CREATE TABLE items (id int PRIMARY KEY, name text); SELECT pg_create_physical_replication_slot('standby')");
        await using var standby = await primary.StartStandbyAsync(Cancel);
        await using var promoted = TestDatabase.Open(standby.ConnectionString);
        var notices = new List<string>();
        var options = LogicalPostgres.Options(folder) with
        {
            Logger = CallbackLogger.OfWarnings(text =>
            {
                lock (notices)
                    notices.Add(text);
            }),
        };
        await using var feed = await PostgresFeed.StartAsync(
            old.ConnectionString.Replace(
                $"Host=127.0.0.1;Port={primary.Port}",
                $"Host=127.0.0.1:{primary.Port},127.0.0.1:{standby.Port};Target Session Attributes=primary",
                StringComparison.Ordinal
            ),
            options,
            cancellationToken: Cancel
        );
        var (here, away) = (new Follower(feed), new Follower(feed));
        await old.RunAsync("INSERT INTO items SELECT g, 'n' FROM generate_series(1, 20) g");
        await LogicalPostgres.CatchUpAsync(here, old, Cancel);
        await LogicalPostgres.CatchUpAsync(away, old, Cancel);
        if (isSynchronized)
        {
            // The standby copies the slot once that has moved on, and the server sends no more than the standby has.
            await Eventually.TrueAsync(async () =>
            {
                await old.RunAsync("UPDATE items SET name = name || '+' WHERE id = 1");
                return await promoted.ScalarAsync("SELECT count(*) FROM pg_replication_slots WHERE synced AND NOT temporary") == "1";
            });
            await old.RunAsync("ALTER SYSTEM SET synchronized_standby_slots = 'standby'");
            await old.RunAsync("SELECT pg_reload_conf()");
        }

        await old.RunAsync("UPDATE items SET name = 'before' WHERE id = 2; DELETE FROM items WHERE id = 3");
        await LogicalPostgres.CatchUpAsync(here, old, Cancel);
        var end = await old.ScalarAsync("SELECT pg_current_wal_insert_lsn()");
        await Eventually.TrueAsync(async () => await promoted.ScalarAsync($"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "True");
        await primary.CrashAsync(Cancel);
        await standby.PromoteAsync(Cancel);
        await promoted.RunAsync("UPDATE items SET name = 'after' WHERE id = 4; DELETE FROM items WHERE id = 5");
        foreach (var client in (Follower[])[here, away])
        {
            await LogicalPostgres.CatchUpAsync(client, promoted, Cancel);
            Assert.Equal(await promoted.RowsAsync("items"), client.Rows);
            lock (notices)
                Assert.Equal(isSynchronized ? "" : "was not synchronized", string.Join('\n', notices.Select(Reason).Distinct()));
            Assert.Equal(isSynchronized ? 0 : 1, client.Resyncs);
        }
    }

    private static string Reason(string notice) =>
        notice.Contains("was not synchronized", StringComparison.Ordinal) ? "was not synchronized" : notice;

    [Fact]
    public void A_log_keeps_how_far_what_its_stretch_begins_with_reaches()
    {
        using var folder = new TempFolder();
        var shown = PgSnapshot.Parse("10:12:11").At(new FeedMark(3, 4711));
        using (var log = ChangeLog.Open(folder["a.log"]))
        {
            log.Forget("slot");
            log.Begin(new LogEpoch("log", 1, "1.3.5-x.replication", shown), 100);
            log.Move("1.4.5-x.replication");
        }

        using var again = ChangeLog.Open(folder["a.log"]);
        Assert.Equal(shown.Mark, again.Epoch!.Base.Mark);
        Assert.Equal(4, again.Epoch.Timeline);
    }
}
