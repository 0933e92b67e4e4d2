using System.Text.Json;
using Lockstep.Testing;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// How a process follows its variables: when it reads, when it switches, and what it does when the store or a clock fails.
/// </summary>
public sealed class TickLockerTests : IAsyncDisposable
{
    private const string Name = "percent";
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Lead = TimeSpan.FromSeconds(5);
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 3, TimeSpan.Zero);

    private readonly ManualTimeProvider _time = new(Start);
    private readonly ManualTimeProvider _storeTime = new(Start);
    private readonly MemoryTickStore _memory;
    private readonly HookedTickStore _store;
    private readonly Observer _observer = new();
    private readonly TickEditor _editor;
    private readonly TempFolder _folder = new();
    private TickLocker _locker;

    public TickLockerTests()
    {
        _memory = new MemoryTickStore(TickSettings.Default with { DefaultTick = Tick }, _storeTime);
        _store = new HookedTickStore(_memory);
        _editor = new TickEditor(_memory);
        _locker = NewLocker();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string BootstrapPath => _folder["bootstrap.json"];

    public async ValueTask DisposeAsync()
    {
        await _locker.DisposeAsync();
        _folder.Dispose();
    }

    private TickLocker NewLocker(string? bootstrap = null) =>
        new(
            _store,
            new TickLockerOptions
            {
                TimeProvider = _time,
                Observer = _observer,
                BootstrapFile = bootstrap,
            }
        );

    private static DateTimeOffset At(double seconds) => Start.AddSeconds(seconds - 3);

    private void AdvanceTo(double seconds)
    {
        // In small steps, so that the effects of one clock find the other one at the same time.
        while (_time.GetUtcNow() < At(seconds))
        {
            var step = At(seconds) - _time.GetUtcNow();
            step = step < TimeSpan.FromMilliseconds(100) ? step : TimeSpan.FromMilliseconds(100);
            _storeTime.Advance(step);
            _time.Advance(step);
        }
    }

    private void FailReads() => _store.BeforeRead = _ => throw new TickStoreUnavailableException("test", "it is away", false, null);

    [Fact]
    public async Task A_value_switches_at_its_instant_and_not_a_moment_before()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "8", At(60), cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);

        Assert.Equal(0, variable.Get());
        AdvanceTo(39.999);
        Assert.Equal(0, variable.Get());
        AdvanceTo(40);
        Assert.Equal(7, variable.Get());
        AdvanceTo(60);
        Assert.Equal(8, variable.Get());
        Assert.Equal([At(40), At(60)], _observer.Activations.Select(activation => activation.SwitchedAt));
    }

    [Fact]
    public async Task The_store_is_read_once_at_the_start_and_once_per_tick_within_the_lead()
    {
        var reads = new List<DateTimeOffset>();
        _store.BeforeRead = _ =>
        {
            reads.Add(_time.GetUtcNow());
            return Task.CompletedTask;
        };
        var variable = await _locker.OpenAsync<JsonElement>(Name, Cancel);
        for (var i = 0; i < 1000; i++)
            _ = variable.Get();

        AdvanceTo(200);

        Assert.Equal(Start, reads[0]);
        Assert.Equal(10, reads.Count - 1);
        Assert.All(
            Enumerable.Range(1, 10),
            i => Assert.InRange(reads[i], At(i * 20) - Lead, At(i * 20) - (Lead / 2) + TimeSpan.FromMilliseconds(1))
        );
        Assert.True(reads.Skip(1).Select(read => read.Ticks % Tick.Ticks).Distinct().Count() > 3, "the reads are spread by jitter");
    }

    [Fact]
    public async Task A_start_within_the_lead_is_that_ticks_read()
    {
        AdvanceTo(19);
        await _locker.OpenAsync<int>(Name, Cancel);

        AdvanceTo(30);
        Assert.Equal(1, _store.Reads);
        AdvanceTo(40);
        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task A_read_that_began_before_the_lead_does_not_stand_for_the_next_boundary()
    {
        AdvanceTo(14.9);
        await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(20);

        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task Reads_follow_the_ticks_that_the_schedule_names()
    {
        await _editor.SetAsync(Name, "1", tick: TimeSpan.FromSeconds(4), cancellationToken: Cancel);
        await _editor.SetAsync(Name, "2", At(60), TimeSpan.FromSeconds(30), cancellationToken: Cancel);
        await _locker.OpenAsync<int>(Name, Cancel);

        // Boundaries 20, 40, 44, 48, 52, 56, 60, 90, 120; the lead for 150 has not started.
        AdvanceTo(140);
        Assert.Equal(1 + 9, _store.Reads);
    }

    [Fact]
    public async Task A_value_that_is_written_right_before_a_boundary_is_known_everywhere_in_time()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(19.999);
        Assert.Equal(At(40), (await _editor.SetAsync(Name, "7", cancellationToken: Cancel)).ActiveAt);

        AdvanceTo(40);
        Assert.Equal(7, variable.Get());
    }

    [Fact]
    public async Task A_failed_read_keeps_the_schedule_and_is_tried_again_and_staleness_shows()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        FailReads();

        AdvanceTo(19.9);
        Assert.NotNull(variable.Status.LastError);
        Assert.False(variable.Status.IsStale);
        Assert.True(_store.Reads > 2, "it was tried again within the lead");
        AdvanceTo(50);
        Assert.Equal(7, variable.Get());
        Assert.True(variable.Status.IsStale);
        Assert.Equal(TimeSpan.FromSeconds(47), variable.Status.Age);
        Assert.Equal(1, _observer.Stale);
        Assert.InRange(_store.Reads, 5, 20);

        // The next attempt comes within half a tick and a quarter of that.
        _store.BeforeRead = null;
        AdvanceTo(50 + 12.5);
        Assert.False(variable.Status.IsStale);
        Assert.Null(variable.Status.LastError);
    }

    [Fact]
    public async Task Staleness_is_told_at_the_boundary_that_was_missed()
    {
        await _locker.OpenAsync<int>(Name, Cancel);
        FailReads();
        DateTimeOffset? told = null;
        _observer.BecameStale = () => told ??= _time.GetUtcNow();

        _time.AdvanceTo(At(30));
        Assert.Equal(At(20), told);
    }

    [Fact]
    public async Task A_process_that_could_not_read_of_a_removal_shows_the_value_says_so_and_goes_back_with_the_next_read()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "8", At(80), cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(41);
        FailReads();
        await _editor.RemoveAsync(Name, At(80), Cancel);

        AdvanceTo(81);
        Assert.Equal(8, variable.Get());
        var switched = _observer.Activations[^1];
        Assert.Equal((At(80), At(60)), (switched.SwitchedAt, switched.Status.StaleSince));
        Assert.True(switched.Status.LastRefresh < At(60), "its last read is older than a tick");

        // However long after the store's return that is.
        _store.BeforeRead = null;
        AdvanceTo(95);
        Assert.Equal(7, variable.Get());
        Assert.Equal((7, false), (int.Parse(_observer.Activations[^1].Tuple!.Json, null), _observer.Activations[^1].Status.IsStale));
        Assert.Null(variable.Status.StaleSince);
    }

    [Fact]
    public async Task An_observer_hears_of_one_variable_one_thing_at_a_time_and_in_order()
    {
        await _locker.OpenAsync<int>(Name, Cancel);
        FailReads();
        var heard = new List<string>();
        var staleness = new TaskCompletionSource();
        var telling = new TaskCompletionSource();
        _observer.BecameStale = () =>
        {
            telling.SetResult();
            staleness.Task.Wait(Cancel);
            heard.Add("stale");
        };
        _observer.Refreshed = () => heard.Add("refreshed");

        // The clock's thread is held up while it reports the staleness, while the read that ends it succeeds on this one.
        var clock = Task.Run(() => AdvanceTo(20), Cancel);
        await telling.Task.WaitAsync(Cancel);
        _store.BeforeRead = null;
        _time.SetUtcNow(At(26));
        await _locker.RefreshAsync(Cancel);
        Assert.False(_locker.Status[0].IsStale);
        Assert.Empty(heard);

        staleness.SetResult();
        await clock;
        Assert.Equal(["stale", "refreshed"], heard.Take(2));
    }

    [Fact]
    public async Task A_process_that_missed_a_change_takes_it_up_with_the_next_read()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        FailReads();
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        AdvanceTo(45);
        Assert.Equal(0, variable.Get());
        Assert.True(variable.Status.IsStale);

        _store.BeforeRead = null;
        AdvanceTo(60);
        Assert.Equal(7, variable.Get());
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_given_up_within_the_lead()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        _store.BeforeRead = cancel => Task.Delay(Timeout.Infinite, cancel);
        AdvanceTo(17.5);
        Assert.Null(variable.Status.LastError);

        _time.Advance(Lead + TimeSpan.FromMilliseconds(1));
        await Eventually.TrueAsync(() => variable.Status.LastError is TickStoreUnavailableException);
    }

    [Fact]
    public async Task A_read_that_never_ends_even_when_it_is_cancelled_does_not_hold_up_the_next()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        _store.BeforeRead = _ => new TaskCompletionSource().Task;
        AdvanceTo(60);
        Assert.Equal(0, variable.Get());
        Assert.True(variable.Status.IsStale);

        _store.BeforeRead = null;
        await Eventually.TrueAsync(() =>
        {
            AdvanceTo((_time.GetUtcNow() - At(0)).TotalSeconds + 1);
            return variable.Get() == 7;
        });
        Assert.False(variable.Status.IsStale);
    }

    [Fact]
    public async Task A_hint_has_the_store_read_soon_and_many_hints_no_more_often()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        var reads = _store.Reads;
        await _editor.SetAsync(Name, "7", At(100), cancellationToken: Cancel);
        for (var i = 0; i < 100; i++)
            _store.Hint(Name);
        _store.Hint("other");

        AdvanceTo(3 + Lead.TotalSeconds);
        await Eventually.TrueAsync(() => variable.Status.Schedule.Tuples.Count == 1);
        Assert.Equal(reads + 1, _store.Reads);
    }

    [Fact]
    public async Task With_a_default_value_a_program_starts_while_the_store_is_away()
    {
        FailReads();
        await using var locker = NewLocker(BootstrapPath);
        var variable = await locker.OpenAsync(Name, 42, Cancel);
        Assert.Equal((42, true), (variable.Get(), variable.Status.IsStale));
        Assert.Same(variable, await locker.OpenAsync(Name, 42, Cancel));
        Assert.Equal(43, (await locker.OpenAsync(Name, 43, Cancel)).Get());

        // What was never read is unknown.
        Assert.Empty(new TickBootstrapFile(BootstrapPath).Load().Schedules);
        _store.BeforeRead = null;
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "\"seven\"", At(80), cancellationToken: Cancel);
        AdvanceTo(60);
        Assert.Equal(7, variable.Get());
        AdvanceTo(100);
        Assert.Equal((7, 1), (variable.Get(), _observer.Unreadable.Distinct().Count()));
    }

    [Fact]
    public async Task Flags_numbers_and_texts_have_their_types_without_reflection()
    {
        await _editor.SetAsync("flag", "true", cancellationToken: Cancel);
        await _editor.SetAsync("number", "1.50", cancellationToken: Cancel);
        await _editor.SetAsync("text", "\"blue\"", cancellationToken: Cancel);
        await _editor.SetAsync("wrong", "null", cancellationToken: Cancel);
        await _editor.SetAsync("percent", "25", cancellationToken: Cancel);
        var flag = await _locker.OpenBooleanAsync("flag", false, Cancel);
        var number = await _locker.OpenNumberAsync("number", -1, Cancel);
        var text = await _locker.OpenTextAsync("text", "none", Cancel);
        var wrong = await _locker.OpenTextAsync("wrong", "none", Cancel);
        var percentage = await _locker.OpenPercentageAsync("percent", 100, Cancel);
        Assert.Equal((false, -1m, "none", "none", 100m), (flag.Get(), number.Get(), text.Get(), wrong.Get(), percentage.Get()!.Percent));
        AdvanceTo(40);

        Assert.Equal((true, 1.50m, "blue", "none", 25m), (flag.Get(), number.Get(), text.Get(), wrong.Get(), percentage.Get()!.Percent));
        Assert.Equal(["null"], _observer.Unreadable);
    }

    [Fact]
    public async Task A_switch_that_falls_due_while_a_read_ends_is_not_put_off()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(30);

        // The clock passes the instant between the two looks that a refresh takes at it.
        _observer.Refreshed = () => _time.SetUtcNow(At(40));
        AdvanceTo(38);
        await Eventually.TrueAsync(() => variable.Get() == 7);
    }

    [Fact]
    public async Task A_clock_that_is_set_is_noticed_within_a_second()
    {
        await _editor.SetAsync(Name, "7", At(3600), cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);

        _time.SetUtcNow(At(3600));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(7, variable.Get());
    }

    [Theory]
    [InlineData(1999, false)]
    [InlineData(2001, true)]
    [InlineData(-2001, true)]
    public async Task A_clock_further_from_the_stores_than_a_tenth_of_the_tick_is_warned_of(double skewMs, bool warned)
    {
        _time.SetUtcNow(Start.AddMilliseconds(skewMs));
        var variable = await _locker.OpenAsync<int>(Name, Cancel);

        Assert.Equal(warned, variable.Status.IsSkewed);
        Assert.Equal(warned ? 1 : 0, _observer.Skewed);
        Assert.Equal(TimeSpan.FromMilliseconds(-skewMs), variable.Status.ClockOffset);
    }

    [Fact]
    public async Task What_the_read_itself_took_is_not_held_against_the_clock()
    {
        _store.BeforeRead = _ =>
        {
            _time.Advance(TimeSpan.FromSeconds(6));
            return Task.CompletedTask;
        };
        _storeTime.Advance(TimeSpan.FromSeconds(0.5));

        Assert.False((await _locker.OpenAsync<int>(Name, Cancel)).Status.IsSkewed);
    }

    [Fact]
    public async Task A_process_that_starts_while_the_store_is_down_serves_the_last_known_schedule()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "8", At(60), cancellationToken: Cancel);
        await _editor.SetAsync("other", "\"x\"", cancellationToken: Cancel);
        await using (var earlier = NewLocker(BootstrapPath))
        {
            await earlier.OpenAsync<int>(Name, Cancel);
            await earlier.OpenAsync<string>("other", Cancel);
        }

        AdvanceTo(50);
        FailReads();
        await using var locker = NewLocker(BootstrapPath);
        var variable = await locker.OpenAsync<int>(Name, Cancel);

        Assert.Equal(7, variable.Get());
        Assert.True(variable.Status.IsStale);
        Assert.Null(variable.Status.LastRefresh);
        AdvanceTo(60);
        Assert.Equal(8, variable.Get());
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => locker.OpenAsync<int>("unknown", Cancel));

        _store.BeforeRead = null;
        AdvanceTo(80);
        Assert.False(variable.Status.IsStale);

        // What another run knew of a variable that is not open here is still in the file.
        FailReads();
        await using var third = NewLocker(BootstrapPath);
        Assert.Equal("x", (await third.OpenAsync<string>("other", Cancel)).Get());
    }

    [Fact]
    public async Task A_store_that_was_replaced_blanks_nothing_until_it_is_adopted()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        var store = new SwitchedTickStore(_store);
        await using var locker = new TickLocker(
            store,
            new TickLockerOptions
            {
                TimeProvider = _time,
                Observer = _observer,
                BootstrapFile = BootstrapPath,
            }
        );
        var variable = await locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(60);
        Assert.Equal(7, variable.Get());

        var other = new MemoryTickStore(clock: _storeTime);
        store.Inner = other;
        AdvanceTo(200);
        Assert.Equal(7, variable.Get());
        Assert.True(variable.Status.IsStoreReplaced);
        Assert.True(variable.Status.IsStale);

        // A new start also uses what the process last knew.
        await using (var restarted = new TickLocker(store, new TickLockerOptions { TimeProvider = _time, BootstrapFile = BootstrapPath }))
            Assert.Equal(7, (await restarted.OpenAsync<int>(Name, Cancel)).Get());

        // The known one comes back.
        store.Inner = _store;
        AdvanceTo(400);
        Assert.False(variable.Status.IsStoreReplaced);

        store.Inner = other;
        AdvanceTo(600);
        await locker.AdoptStoreAsync(Cancel);
        Assert.Equal(0, variable.Get());
        Assert.False(variable.Status.IsStoreReplaced);
        Assert.Equal((await other.ReadAsync(Name, Cancel)).Stamp, new TickBootstrapFile(BootstrapPath).Load().Stamp);
    }

    [Fact]
    public void A_store_that_was_put_back_to_an_earlier_state_is_not_believed()
    {
        var known = new TickStoreStamp("one", 5);

        known.RequireSuccessor(new TickStoreStamp("one", 5), "store");
        known.RequireSuccessor(new TickStoreStamp("one", 9), "store");
        known.RequireSuccessor(TickStoreStamp.Unknown, "store");
        TickStoreStamp.Unknown.RequireSuccessor(known, "store");
        Assert.Throws<TickStoreReplacedException>(() => known.RequireSuccessor(new TickStoreStamp("one", 4), "store"));
        Assert.Throws<TickStoreReplacedException>(() => known.RequireSuccessor(new TickStoreStamp("two", 9), "store"));
    }

    [Fact]
    public void A_store_that_lost_changes_and_went_on_without_them_is_not_believed()
    {
        const string Older = "00000001";
        const string Seen = "00000002";
        const string Newer = "00000003";
        var known = new TickStoreStamp("one", 2, Seen + Older);

        known.RequireSuccessor(known, "store");
        known.RequireSuccessor(new TickStoreStamp("one", 3, Newer + Seen + Older), "store");
        known.RequireSuccessor(new TickStoreStamp("one", 9, Newer), "store");
        Assert.Throws<TickStoreReplacedException>(() => known.RequireSuccessor(new TickStoreStamp("one", 2, Newer + Older), "store"));
        Assert.Throws<TickStoreReplacedException>(() =>
            known.RequireSuccessor(new TickStoreStamp("one", 3, "00000004" + Newer + Older), "store")
        );
    }

    [Fact]
    public async Task The_bootstrap_file_holds_a_change_as_soon_as_it_is_known()
    {
        await using var locker = NewLocker(BootstrapPath);
        await locker.OpenAsync<int>(Name, Cancel);
        await _editor.SetAsync(Name, "{\"a\": 1.50}", cancellationToken: Cancel);
        AdvanceTo(20);

        Assert.Equal("{\"a\": 1.50}", Assert.Single(new TickBootstrapFile(BootstrapPath).Load().Schedules[Name].Tuples).Json);
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"format\":2}")]
    [InlineData("{\"format\":1,\"variables\":{\"percent\":{}}}")]
    [InlineData("{\"format\":1,\"variables\":{\"percent\":{\"defaultTickMs\":0,\"tuples\":[]}}}")]
    public async Task A_damaged_bootstrap_file_is_reported_and_no_reason_not_to_start(string content)
    {
        await File.WriteAllTextAsync(BootstrapPath, content, Cancel);
        await using var locker = NewLocker(BootstrapPath);
        await locker.OpenAsync<int>(Name, Cancel);

        Assert.Equal(1, _observer.BootstrapFailures);
        Assert.Single(new TickBootstrapFile(BootstrapPath).Load().Schedules);
    }

    [Fact]
    public async Task A_bootstrap_file_that_cannot_be_written_is_reported()
    {
        await using var locker = NewLocker(Path.Combine(_folder.Path, "no", "such", "folder.json"));
        await locker.OpenAsync<int>(Name, Cancel);

        Assert.True(_observer.BootstrapFailures > 0);
    }

    [Fact]
    public async Task Without_store_and_bootstrap_file_opening_fails_and_later_succeeds()
    {
        FailReads();
        await Assert.ThrowsAsync<TickStoreUnavailableException>(() => _locker.OpenAsync<int>(Name, Cancel));

        _store.BeforeRead = null;
        Assert.Equal(0, (await _locker.OpenAsync<int>(Name, Cancel)).Get());
    }

    [Fact]
    public async Task Values_of_any_JSON_type_are_read_as_what_the_program_wants()
    {
        await _editor.SetAsync(Name, "{\"Rate\": 0.25, \"Regions\": [\"eu\", \"us\"]}", cancellationToken: Cancel);
        var element = await _locker.OpenAsync<JsonElement>(Name, Cancel);
        var typed = await _locker.OpenAsync<Rollout>(Name, Cancel);
        AdvanceTo(40);

        Assert.Equal(0.25, element.Get().GetProperty("Rate").GetDouble());
        Assert.Equal(["eu", "us"], typed.Get()!.Regions);
        Assert.Same(typed, await _locker.OpenAsync<Rollout>(Name, Cancel));
        Assert.Equal(3, _store.Reads);
    }

    [Fact]
    public async Task A_value_of_another_type_is_reported_and_the_last_readable_one_stays()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "\"seven\"", At(60), cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(61);

        Assert.Equal(7, variable.Get());
        Assert.Equal("\"seven\"", variable.Status.Active!.Json);
        Assert.Equal(["\"seven\""], _observer.Unreadable);
    }

    [Fact]
    public async Task Watch_yields_each_value_when_it_becomes_active()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        await _editor.SetAsync(Name, "8", At(60), cancellationToken: Cancel);
        await using var watch = _locker.WatchAsync(Name, Cancel).GetAsyncEnumerator(Cancel);
        var first = watch.MoveNextAsync().AsTask();
        Assert.False(first.IsCompleted);

        AdvanceTo(40);
        Assert.True(await first);
        Assert.Equal(("7", At(40)), (watch.Current.Tuple!.Json, watch.Current.SwitchedAt));
        AdvanceTo(60);
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal("8", watch.Current.Tuple!.Json);

        await _locker.DisposeAsync();
        Assert.False(await watch.MoveNextAsync());
    }

    [Fact]
    public async Task A_request_border_catches_up_where_timers_did_not_run()
    {
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        Assert.True(_locker.RefreshAsync(Cancel).AsTask().IsCompletedSuccessfully);
        Assert.Equal(1, _store.Reads);

        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        _storeTime.Advance(TimeSpan.FromMinutes(1));
        _time.SetUtcNow(_storeTime.GetUtcNow());
        await _locker.RefreshAsync(Cancel);

        Assert.Equal(7, variable.Get());
        Assert.Equal(2, _store.Reads);
    }

    [Fact]
    public async Task A_switch_does_not_wait_for_a_thread_pool_that_runs_no_timers()
    {
        var store = new MemoryTickStore(new TickSettings(TimeSpan.FromMilliseconds(200), TimeSpan.Zero, TimeSpan.Zero));
        var change = await new TickEditor(store).SetValueAsync(
            "name",
            "new",
            DateTimeOffset.UtcNow.AddSeconds(1),
            cancellationToken: Cancel
        );
        await using var locker = new TickLocker(
            store,
            new TickLockerOptions
            {
                TimeProvider = new NoTimers(),
                SwitchOnOwnThread = true,
                Observer = _observer,
            }
        );
        var variable = await locker.OpenAsync<string>("name", Cancel);
        var other = await locker.OpenAsync<string>("other", Cancel);
        await Eventually.TrueAsync(() => variable.Get() is not null);

        // Not before its instant; and a watcher is told of it once, when there is time.
        Assert.True(DateTimeOffset.UtcNow >= change.ActiveAt);
        Assert.Null(other.Get());
        await locker.RefreshAsync(Cancel);
        var activation = Assert.Single(_observer.Activations, activation => activation.Tuple is not null);
        Assert.True(activation.SwitchedAt >= change.ActiveAt);
    }

    [Fact]
    public async Task Get_allocates_nothing()
    {
        await _editor.SetAsync(Name, "7", cancellationToken: Cancel);
        var variable = await _locker.OpenAsync<int>(Name, Cancel);
        AdvanceTo(40);
        var sum = variable.Get();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100_000; i++)
            sum += variable.Get();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(700_007, sum);
    }

    [Fact]
    public async Task After_dispose_nothing_reads_and_nothing_opens()
    {
        await _locker.OpenAsync<int>(Name, Cancel);
        await _locker.DisposeAsync();
        AdvanceTo(100);

        Assert.Equal(1, _store.Reads);
        Assert.Equal(0, _time.ScheduledTimers);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _locker.OpenAsync<int>("other", Cancel));
    }

    /// <summary>The system's clock, with timers that never fire.</summary>
    private sealed class NoTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Inert();

        private sealed class Inert : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose() { }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    private sealed record Rollout(double Rate, string[] Regions);

    private sealed class Observer : ITickObserver
    {
        public List<TickActivation> Activations { get; } = [];

        public List<string> Unreadable { get; } = [];

        public int Stale { get; private set; }

        public int Skewed { get; private set; }

        public int BootstrapFailures { get; private set; }

        public Action? Refreshed { get; set; }

        public void OnActivated(TickActivation activation) => Activations.Add(activation);

        public void OnRefreshed(TickStatus status) => Refreshed?.Invoke();

        public Action? BecameStale { get; set; }

        public void OnStale(TickStatus status)
        {
            Stale++;
            BecameStale?.Invoke();
        }

        public void OnSkewed(TickStatus status) => Skewed++;

        public void OnUnreadable(string variable, TickTuple tuple, Exception error) => Unreadable.Add(tuple.Json);

        public void OnBootstrapFailed(string path, Exception error) => BootstrapFailures++;
    }
}
