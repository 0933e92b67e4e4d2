using Lockstep.Engine.Serving;

namespace Lockstep.Engine.Tests.Serving;

public class LiveLogTests
{
    [Fact]
    public void A_follower_takes_each_batch_once_and_then_waits()
    {
        var log = Started();
        var place = log.PlaceAfter(At(1), "feed")!.Value;
        log.Append(Batch(1, 2, 10));
        log.Append(Batch(2, 3, 10));
        Assert.Equal([2, 3], TakeAll(log, ref place));
        Assert.Equal(LiveOutcome.AtEnd, log.Take(ref place, "feed", out _, out _, out var end, out var changed));
        Assert.Equal(At(3), end);
        Assert.False(changed.IsCompleted);
        log.Append(Batch(3, 4, 10));
        Assert.True(changed.IsCompleted);
        Assert.Equal([4], TakeAll(log, ref place));
    }

    [Fact]
    public void A_follower_that_fell_behind_is_lost_and_keeps_nothing_alive()
    {
        var log = Started(capacity: 2000);
        var place = log.PlaceAfter(At(1), "feed")!.Value;
        for (var i = 1; i < 10; i++)
            log.Append(Batch(i, i + 1, 1000));
        Assert.Equal(LiveOutcome.Lost, log.Take(ref place, "feed", out _, out _, out _, out _));
        Assert.Null(log.PlaceAfter(At(1), "feed"));
        Assert.NotNull(log.PlaceAfter(At(9), "feed"));
    }

    [Fact]
    public void A_batch_larger_than_the_log_sends_everybody_back()
    {
        var log = Started(capacity: 2000);
        var place = log.PlaceAfter(At(1), "feed")!.Value;
        log.Append(Batch(1, 2, 3000));
        Assert.Equal(LiveOutcome.Lost, log.Take(ref place, "feed", out _, out _, out _, out _));
        Assert.Null(log.PlaceAfter(At(1), "feed"));
        Assert.NotNull(log.PlaceAfter(At(2), "feed"));
    }

    [Fact]
    public void A_restart_loses_even_those_who_had_everything()
    {
        var log = Started();
        var place = log.PlaceAfter(At(1), "feed")!.Value;
        log.Restart("feed", At(5));
        Assert.Equal(LiveOutcome.Lost, log.Take(ref place, "feed", out _, out _, out _, out _));
    }

    [Fact]
    public void Another_feed_is_told_apart()
    {
        var log = Started();
        var place = log.PlaceAfter(At(1), "feed")!.Value;
        log.Restart("other", At(5));
        Assert.Equal(LiveOutcome.OtherFeed, log.Take(ref place, "feed", out _, out _, out _, out _));
        Assert.Null(log.PlaceAfter(At(5), "feed"));
    }

    [Theory]
    [InlineData(1, new long[] { 2, 3, 4 })]
    [InlineData(2, new long[] { 3, 4 })]
    [InlineData(4, new long[0])]
    [InlineData(9, new long[0])]
    public void A_reader_joins_behind_what_it_knows(long known, long[] expected)
    {
        var log = Started();
        for (var i = 1; i < 4; i++)
            log.Append(Batch(i, i + 1, 10));
        var place = log.PlaceAfter(At(known), "feed")!.Value;
        Assert.Equal(expected, TakeAll(log, ref place));
    }

    private static LiveLog<LogPosition> Started(long capacity = 1 << 20)
    {
        var log = new LiveLog<LogPosition>(capacity);
        log.Restart("feed", At(1));
        return log;
    }

    private static LogPosition At(long number) => new(number);

    private static LiveBatch<LogPosition> Batch(long from, long to, int bytes) => new(At(from), At(to), [new byte[bytes]], bytes);

    private static List<long> TakeAll(LiveLog<LogPosition> log, ref long place)
    {
        var taken = new List<long>();
        while (log.Take(ref place, "feed", out var batch, out _, out _, out _) == LiveOutcome.Batch)
            taken.Add(batch!.To.Cursor);
        return taken;
    }
}
