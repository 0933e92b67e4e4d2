using System.Text;
using Lockstep.Postgres.Feed;
using Lockstep.Postgres.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

public sealed class ChangeLogTests : IDisposable
{
    private static readonly LogEpoch First = new("log", 1, "table", PgSnapshot.Parse("100:105:102"));
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_committed_is_there_after_a_restart_and_what_was_not_is_gone()
    {
        using (var log = Started())
        {
            Append(log, 20, 110, "a");
            log.Write([Piece(30, "lost")]);
        }

        using var again = Open();
        Assert.Equal(First.Identity, again.Epoch!.Identity);
        Assert.Equal(("slot", 21), (again.Slot, again.Position));
        Assert.Equal(["a"], ReadAll(again, 10));
    }

    [Fact]
    public void Readers_see_nothing_of_a_transaction_before_it_has_ended()
    {
        using var log = Started();
        log.Write([Piece(20, "half")]);
        Assert.Empty(ReadAll(log, 10));
        log.Write([Piece(20, "whole")]);
        log.Commit([new LoggedTransaction(20, 110)], 21);
        Assert.Equal(["half", "whole"], ReadAll(log, 10));
        Assert.Equal(["half", "whole"], ReadAll(log, 20));
        Assert.Empty(ReadAll(log, 21));
        log.Write([Piece(30, "never")]);
        log.Rollback();
        Assert.Equal(9, log.Bytes);
        Assert.Empty(ReadAll(log, 21));
    }

    [Theory]
    [InlineData("200:200:", 41)]
    [InlineData("120:200:120", 30)]
    [InlineData("110:200:110,120", 20)]
    [InlineData("115:200:115", 41)]
    [InlineData("110:130:110", 20)]
    public void The_log_goes_on_from_the_first_change_that_a_snapshot_does_not_show(string snapshot, long cursor)
    {
        using var log = Started();
        Append(log, 20, 110, "a");
        Append(log, 30, 120, "b");
        Append(log, 40, 105, "c");
        Assert.Equal(cursor, log.CursorFor(PgSnapshot.Parse(snapshot)));
    }

    [Fact]
    public void A_snapshot_that_shows_less_than_what_the_log_has_let_go_of_does_not_do()
    {
        using var log = Started();
        Assert.Null(log.CursorFor(PgSnapshot.Parse("104:110:104")));
        Assert.Equal(10, log.CursorFor(PgSnapshot.Parse("102:110:102")));
        Append(log, 20, 110, "a");
        var second = First with { Number = 2, Base = PgSnapshot.Parse("110:120:110") };
        log.Begin(second, log.Position);
        Assert.Null(log.CursorFor(PgSnapshot.Parse("110:130:110")));
        Assert.Equal(21, log.CursorFor(PgSnapshot.Parse("130:130:")));
        Assert.Null(log.Read(First.Identity, 20, ref _after));
        Assert.Empty(ReadAll(log, 21, second));
    }

    [Fact]
    public void The_oldest_changes_are_let_go_of_but_none_that_a_snapshot_may_not_show()
    {
        using var log = Started();
        var text = new string('x', 1000);
        for (var i = 1; i <= 10; i++)
            Append(log, 10 * i, 200 + i, text);
        log.Trim(5000, horizon: 203);
        Assert.Equal(8000, log.Bytes);
        Assert.Equal(21, log.Floor);
        log.Trim(5000, horizon: 300);
        Assert.Equal(4000, log.Bytes);
        Assert.Equal(61, log.Floor);
        Assert.Null(log.Read(First.Identity, 60, ref _after));
        Assert.Equal(4, ReadAll(log, 61).Count);
    }

    [Fact]
    public void A_reader_that_has_read_what_is_let_go_of_goes_on_and_one_that_has_not_is_told()
    {
        using var log = Started();
        var text = new string('x', 1000);
        for (var i = 1; i <= 40; i++)
            Append(log, 10 * i, 200 + i, text);
        var (quick, slow) = (0L, 0L);
        log.Read(First.Identity, 10, ref slow);
        while (log.Read(First.Identity, 10, ref quick)!.Count > 0) { }

        log.Trim(10_000, horizon: 300);
        Assert.Null(log.Read(First.Identity, 10, ref slow));
        Append(log, 500, 300, "more");
        Assert.Equal("more", Encoding.UTF8.GetString(Assert.Single(log.Read(First.Identity, 10, ref quick)!)));
    }

    [Fact]
    public void A_log_has_one_feed_at_a_time_and_a_file_of_another_kind_is_refused()
    {
        using (Started())
            Assert.Throws<PostgresReplicationException>(Open);
        File.WriteAllText(_folder["text"], new string('x', 5000));
        Assert.Throws<PostgresReplicationException>(() => ChangeLog.Open(_folder["text"]));
    }

    private long _after;

    private static LogPiece Piece(long lsn, string text) => new(lsn, Encoding.UTF8.GetBytes(text));

    private static void Append(ChangeLog log, long lsn, long txid, string text)
    {
        log.Write([Piece(lsn, text)]);
        log.Commit([new LoggedTransaction(lsn, txid)], lsn + 1);
    }

    private static List<string> ReadAll(ChangeLog log, long cursor, LogEpoch? epoch = null)
    {
        var (all, after) = (new List<string>(), 0L);
        while (log.Read((epoch ?? First).Identity, cursor, ref after) is { Count: > 0 } pieces)
            all.AddRange(pieces.Select(Encoding.UTF8.GetString));
        return all;
    }

    private ChangeLog Open() => ChangeLog.Open(_folder["log"]);

    private ChangeLog Started()
    {
        var log = Open();
        log.Forget("slot");
        log.Begin(First, 10);
        return log;
    }
}
