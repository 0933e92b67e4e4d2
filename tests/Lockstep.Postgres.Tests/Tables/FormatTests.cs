using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>
/// Tables of every earlier format, written by the code of their time: <c>Formats/tables-N.sql</c> is a dump of one. Those of later formats
/// are refused.
/// </summary>
public sealed class FormatTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_table_of_the_first_format_is_read_and_written_and_is_of_todays_then()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Tables", "Formats", "tables-1.sql"), Cancel));
        var store = new PostgresTableStore(db.ConnectionString);
        var before = store.Get("servers").GetInfo();
        Assert.Equal((38L, 2L, "40", 1L), (before.Rows, before.Tombstones, before.Cursor.ToString(), before.Quarantined));

        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            target.Commit(
                new TableCommit
                {
                    SweepLimit = 70,
                    FeedEnding = FeedEnding.Endless,
                    Owed = OwedSet.After(null, DateTimeOffset.UnixEpoch),
                }
            );
            Assert.Equal((38L, 70, FeedEnding.Endless), (target.State.Rows, target.State.SweepLimit, target.State.FeedEnding));
        }

        Assert.True(store.Get("servers").GetInfo().IsSetOwed);
        Assert.Equal(
            $"{StateJson.Format}",
            await db.ScalarAsync("SELECT state::json ->> 'format' FROM lockstep_tables.lockstep_directory")
        );
    }

    [Fact]
    public async Task What_was_asked_and_that_it_may_not_have_been_all_is_kept_and_nothing_of_it_is_needed()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            target.Commit(
                new TableCommit
                {
                    Feed = "http://127.0.0.1/servers/",
                    Cursor = Cursor.Parse("7"),
                    Asked = "abc",
                    At = DateTimeOffset.UnixEpoch,
                    IsIncomplete = true,
                }
            );
        }

        Assert.False(store.Get("servers").GetInfo().IsUpToDate);
        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            Assert.True(target.State.IsOfAnotherQuery("other"));
            Assert.False(target.State.IsOfAnotherQuery("abc"));
            target.Commit(new TableCommit { At = DateTimeOffset.UnixEpoch.AddSeconds(1) });
        }

        Assert.True(store.Get("servers").GetInfo().IsUpToDate);
        // An earlier Lockstep of the same format writes neither.
        await db.RunAsync(
            "UPDATE lockstep_tables.lockstep_directory SET state = (state::jsonb - 'asked' - 'incomplete')::text WHERE name = 'servers'"
        );
        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
            Assert.False(target.State.IsOfAnotherQuery("other"));
    }

    [Fact]
    public async Task Where_a_first_load_goes_on_is_kept_until_it_is_over()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            target.Commit(
                new TableCommit
                {
                    LoadPage = "/servers/pages?after=7",
                    Foreign = "{}",
                    At = DateTimeOffset.UnixEpoch,
                }
            );
        }

        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
        {
            Assert.Equal(("/servers/pages?after=7", "{}"), (target.State.LoadPage, target.State.Foreign));
            target.Commit(new TableCommit { EndsLoad = true });
        }

        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
            Assert.Null(target.State.LoadPage);
    }

    [Fact]
    public async Task A_table_of_a_newer_format_is_refused_by_name_and_stays_as_it_is()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var store = new PostgresTableStore(db.ConnectionString);
        using (var target = await store.OpenAsync("servers", default, TimeProvider.System, Cancel))
            target.Commit(new TableCommit { At = DateTimeOffset.UnixEpoch });
        const string Directory = "SELECT epoch || state FROM lockstep_tables.lockstep_directory";
        await db.RunAsync($$"""UPDATE lockstep_tables.lockstep_directory SET state = '{"format":{{StateJson.Format + 1}},"cursor":[1]}'""");
        var before = await db.ScalarAsync(Directory);

        var error = await Assert.ThrowsAsync<TableFormatException>(() => store.OpenAsync("servers", default, TimeProvider.System, Cancel));
        Assert.Contains(
            $"written by a newer Lockstep (format {StateJson.Format + 1}, this one reads up to {StateJson.Format})",
            error.Message,
            StringComparison.Ordinal
        );
        Assert.Throws<TableFormatException>(() => store.Get("servers").GetInfo());
        Assert.Throws<TableFormatException>(() => store.Get("servers").Clear());
        Assert.Throws<TableFormatException>(() => store.Get("servers").Remove());
        Assert.Equal(before, await db.ScalarAsync(Directory));
    }
}
