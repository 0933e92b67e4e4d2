using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Gossip.Tests;

/// <summary>The hold book alone: streams are names here, and applying advances a clock.</summary>
public sealed class HoldBookTests
{
    private static readonly DateTimeOffset Due = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly HoldBook<string> _book = new(maxUpdates: 3);
    private readonly GossipClock _clock = new();
    private readonly List<double> _applied = [];

    [Fact]
    public void A_stream_holds_so_many_bytes_and_sources_and_no_more()
    {
        var book = new HoldBook<string>(maxUpdates: 1000);
        book.Begin("left", Large("large", 1), null);
        Assert.True(book.TryAdd("left", Large("large", 2)));
        Assert.Equal(2, Assert.Single(book.List()).Count);

        // Too many: they will be requested again when they are due.
        Assert.True(book.TryAdd("left", Large("large", 3)));
        Assert.Equal(0, Assert.Single(book.List()).Count);
        for (var i = 1; i < HoldBook<string>.MaxSources; i++)
        {
            book.Begin("left", Update($"S{i}", 1), null);
        }

        Assert.Throws<GossipProtocolException>(() => book.Begin("left", Update("one more", 1), null));
    }

    [Fact]
    public void Signatures_and_ids_count_as_well_as_changes()
    {
        var book = new HoldBook<string>(maxUpdates: 1000);
        var signature = new string('s', (int)(HoldBook<string>.MaxBytes / 2 / sizeof(char)));
        book.Begin("left", new GossipUpdate("1"u8.ToArray(), 1, "S", signature), null);
        Assert.True(book.TryAdd("left", new GossipUpdate("1"u8.ToArray(), 2, "S", signature)));
        Assert.Equal(0, Assert.Single(book.List()).Count);
        Assert.Throws<GossipProtocolException>(() => book.Begin("left", Update(signature + signature, 1), null));
    }

    [Fact]
    public void All_streams_together_hold_so_many_bytes_and_sources_and_what_has_ended_counts_no_longer()
    {
        var book = new HoldBook<string>(maxUpdates: 100_000);
        var streams = (int)(HoldBook<string>.MaxBytesInAll / HoldBook<string>.MaxBytes);
        for (var i = 0; i < streams; i++)
        {
            book.Begin($"stream {i}", Large($"S{i}", 1), null);
            book.TryAdd($"stream {i}", Large($"S{i}", 2));
        }

        book.Begin("one more", Large("T", 1), null);
        book.TryAdd("one more", Large("T", 2));
        Assert.Equal(0, book.List().Single(static hold => hold.Source == "T").Count);
        book.End("stream 0");
        book.End("one more");
        book.Begin("later", Large("T", 1), null);
        Assert.Equal(1, book.List().Single(static hold => hold.Source == "T").Count);

        var crowded = new HoldBook<string>(maxUpdates: 1);
        for (var i = 0; i < HoldBook<string>.MaxSourcesInAll; i++)
        {
            crowded.Begin($"stream {i / 5000}", Update($"S{i}", 1), null);
        }

        Assert.Throws<GossipProtocolException>(() => crowded.Begin("one more", Update("S", 1), null));
        crowded.End("stream 0");
        crowded.Begin("one more", Update("S", 1), null);
    }

    [Fact]
    public void What_changed_while_a_hold_was_looked_at_is_not_forgotten()
    {
        Hold("left", 1, 2);
        _book.NoteKeys();
        var ticket = _book.TakeNext()!;
        _book.NoteKeys();
        Assert.Null(_book.TakeNext());
        Assert.False(_book.Release(ticket, [false, false], _clock, static _ => null, Apply));
        Assert.False(Release(static _ => true));
        Assert.Equal([1, 2], _applied);
    }

    [Fact]
    public void What_follows_a_refused_update_of_its_source_is_held_and_nothing_else()
    {
        _book.Begin("left", Update("S", 1), null);
        Assert.True(_book.TryAdd("left", Update("S", 2)));
        Assert.False(_book.TryAdd("left", Update("T", 2)));
        Assert.False(_book.TryAdd("right", Update("S", 2)));
        Assert.Equal([new GossipHold("S", null, 2)], _book.List());
    }

    [Fact]
    public void Nothing_is_looked_at_before_something_changes()
    {
        _book.Begin("left", Update("S", 1), null);
        Assert.Null(_book.TakeNext());
        _book.NoteTime(Due);
        Assert.Null(_book.TakeNext());
        _book.NoteKeys();
        Assert.Equal("S", _book.TakeNext()!.Held.Source);

        // The same hold is not handed out twice at once.
        Assert.Null(_book.TakeNext());
        Assert.False(_book.MustLook);
    }

    [Fact]
    public void What_was_verified_is_applied_in_order_and_the_hold_ends()
    {
        Hold("left", 1, 2, 3);
        _book.NoteKeys();
        Assert.False(Release(static _ => true));
        Assert.Equal([1, 2, 3], _applied);
        Assert.True(_book.IsEmpty);
    }

    [Fact]
    public void Release_stops_at_the_first_update_that_is_still_refused()
    {
        Hold("left", 1, 2, 3);
        _book.NoteKeys();
        Assert.False(Release(static update => update.Timestamp != 2));
        Assert.Equal([1], _applied);
        Assert.Equal([new GossipHold("S", null, 2)], _book.List());
    }

    [Fact]
    public void An_update_that_turns_out_to_be_ahead_waits_for_its_time()
    {
        Hold("left", 1);
        _book.NoteKeys();
        Assert.False(Release(static _ => true, static _ => Due));
        Assert.Equal(Due, _book.NextDue);
        _book.NoteTime(Due.AddTicks(-1));
        Assert.Null(_book.TakeNext());
        _book.NoteTime(Due);
        Assert.False(Release(static _ => true));
        Assert.Equal([1], _applied);
    }

    [Fact]
    public void A_hold_ends_when_the_clock_passes_it_by_another_stream()
    {
        Hold("left", 1, 2);
        _clock.Advance("S", 2);
        _book.NoteAdvance("S");
        Assert.False(Release(static _ => false));
        Assert.Empty(_applied);
        Assert.True(_book.IsEmpty);
    }

    [Fact]
    public void Too_many_are_dropped_and_asked_for_again_once_a_key_came()
    {
        Hold("left", 1, 2, 3, 4);
        Assert.Equal([new GossipHold("S", null, 0)], _book.List());
        _clock.Advance("S", 3);
        _book.NoteAdvance("S");
        Assert.False(Release(static _ => true));
        Assert.False(_book.IsEmpty);
        _book.NoteKeys();
        Assert.True(Release(static _ => true));
        _clock.Advance("S", 4);
        _book.NoteAdvance("S");
        Assert.False(Release(static _ => true));
        Assert.True(_book.IsEmpty);
    }

    [Fact]
    public void The_bound_counts_all_sources_of_a_stream_and_each_stream_by_itself()
    {
        Hold("left", 1, 2);
        _book.Begin("left", Update("T", 1), null);
        Assert.True(_book.TryAdd("left", Update("T", 2)));
        Hold("right", 1, 2, 3);
        Assert.Equal([new GossipHold("S", null, 3), new GossipHold("T", null, 0)], _book.List());
    }

    [Fact]
    public void What_came_while_it_was_verified_is_looked_at_next()
    {
        Hold("left", 1);
        _book.NoteKeys();
        var ticket = _book.TakeNext()!;
        _book.TryAdd("left", Update("S", 2));
        Assert.False(_book.Release(ticket, [true], _clock, static _ => null, Apply));
        Assert.True(_book.MustLook);
        Assert.False(Release(static _ => true));
        Assert.Equal([1, 2], _applied);
    }

    [Fact]
    public void A_stream_that_ended_while_it_was_looked_at_applies_nothing()
    {
        Hold("left", 1);
        _book.NoteKeys();
        var ticket = _book.TakeNext()!;
        _book.End("left");
        Assert.False(_book.Release(ticket, [true], _clock, static _ => null, Apply));
        Assert.Empty(_applied);
        Assert.True(_book.IsEmpty);
    }

    /// <summary>Two of these are nearly what a stream may hold.</summary>
    private static GossipUpdate Large(string source, double timestamp) =>
        new(new byte[(HoldBook<string>.MaxBytes / 2) - 1024], timestamp, source, null);

    private static GossipUpdate Update(string source, double timestamp) => new("1"u8.ToArray(), timestamp, source, null);

    private void Hold(string stream, params double[] timestamps)
    {
        _book.Begin(stream, Update("S", timestamps[0]), null);
        foreach (var timestamp in timestamps[1..])
        {
            _book.TryAdd(stream, Update("S", timestamp));
        }
    }

    private bool Release(Predicate<GossipUpdate> verify, Func<GossipUpdate, DateTimeOffset?>? dueTime = null)
    {
        var ticket = _book.TakeNext()!;
        return _book.Release(
            ticket,
            Array.ConvertAll(ticket.Updates, update => verify(update)),
            _clock,
            dueTime ?? (static _ => null),
            Apply
        );
    }

    private void Apply(string stream, GossipUpdate update)
    {
        _applied.Add(update.Timestamp);
        _clock.Advance(update.Source, update.Timestamp);
    }
}
