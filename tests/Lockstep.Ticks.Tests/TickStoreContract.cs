using System.Text.Json;
using Lockstep.Testing;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>What every store promises: every rule of the contract, over each of them. The store's clock is the test's.</summary>
public abstract class TickStoreContract : IAsyncLifetime
{
    private const string Name = "checkout.percent";
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(10);

    protected static TickSettings Settings { get; } = TickSettings.Default with { DefaultTick = Tick };

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected ManualTimeProvider Time { get; } = new(new DateTimeOffset(2030, 1, 1, 0, 0, 3, TimeSpan.Zero));

    private ITickStore Store { get; set; } = null!;

    private TickEditor Editor { get; set; } = null!;

    /// <summary>A store over the same data each time within a test; the settings of the first one count.</summary>
    protected abstract Task<ITickStore> OpenAsync(TickSettings settings);

    public async ValueTask InitializeAsync()
    {
        Store = await OpenAsync(Settings);
        Editor = new TickEditor(Store, "ann") { KeepExpired = null };
    }

    public async ValueTask DisposeAsync()
    {
        if (Store is not null)
            await Store.DisposeAsync();
        await CleanAsync();
        GC.SuppressFinalize(this);
    }

    protected virtual ValueTask CleanAsync() => ValueTask.CompletedTask;

    private static DateTimeOffset At(double seconds) => new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(seconds);

    private async Task<TickSchedule> ScheduleAsync() => (await Store.ReadAsync(Name, Cancel)).Schedule;

    private async Task<string[]> TimelineAsync() =>
        [
            .. (await ScheduleAsync()).Tuples.Select(tuple =>
                $"{(tuple.ActiveAt - At(0)).TotalSeconds}:{tuple.Json}/{tuple.Tick.TotalSeconds}"
            ),
        ];

    [Fact]
    public async Task An_unknown_variable_has_an_empty_schedule_and_the_stores_default_tick()
    {
        var reading = await Store.ReadAsync(Name, Cancel);

        Assert.Empty(reading.Schedule.Tuples);
        Assert.Equal(Tick, reading.Schedule.DefaultTick);
        Assert.Equal(Time.GetUtcNow(), reading.StoreTime);
        Assert.Empty(await Store.ListAsync(Cancel));
        Assert.Empty(await Store.ReadAuditAsync(Name, 10, Cancel));
    }

    [Fact]
    public async Task A_store_keeps_its_identity_and_its_version_rises_with_each_change()
    {
        var before = (await Store.ReadAsync(Name, Cancel)).Stamp;
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        await Editor.SetAsync("other", "2", cancellationToken: Cancel);
        await using var again = await OpenAsync(Settings);
        var after = (await again.ReadAsync("unknown", Cancel)).Stamp;

        Assert.NotNull(before.Identity);
        Assert.Equal((before.Identity, before.Version + 2), (after.Identity, after.Version));
    }

    [Fact]
    public async Task The_default_tick_lives_in_the_store_whatever_a_process_is_configured_with()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        await using var other = await OpenAsync(Settings with { DefaultTick = TimeSpan.FromSeconds(600) });

        Assert.Equal(Settings, await other.ReadSettingsAsync(Cancel));
        Assert.Equal(Tick, (await other.ReadAsync(Name, Cancel)).Schedule.DefaultTick);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("\"caf\\u00e9 \\u0000 \\ud83d\\ude00 é\"")]
    [InlineData("{\"b\": [1, 2.50, 1e400], \"a\": {\"x\": null}, \"b\": 12345678901234567890}")]
    [InlineData("  true ")]
    public async Task Any_JSON_text_comes_back_as_it_was_written(string json)
    {
        await Editor.SetAsync(Name, json, cancellationToken: Cancel);

        Assert.Equal(json, Assert.Single((await ScheduleAsync()).Tuples).Json);
        Assert.Equal(json, Assert.Single(await Store.ReadAuditAsync(Name, 10, Cancel)).Operation.Tuple.Json);
    }

    [Fact]
    public async Task Set_takes_the_second_boundary_from_now_and_says_so()
    {
        var change = await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        Assert.Equal(At(20), change.ActiveAt);
        Assert.False(change.Replaced);
        Assert.False(change.IsLate);

        Time.AdvanceTo(At(20));
        Assert.Equal(At(40), (await Editor.SetAsync(Name, "2", cancellationToken: Cancel)).ActiveAt);
    }

    [Theory]
    [InlineData(-100, 20)]
    [InlineData(12, 20)]
    [InlineData(20, 20)]
    [InlineData(20.001, 30)]
    [InlineData(3601, 3610)]
    public async Task Set_schedules_for_the_first_boundary_not_before_the_wish(double desired, double expected) =>
        Assert.Equal(At(expected), (await Editor.SetAsync(Name, "1", At(desired), cancellationToken: Cancel)).ActiveAt);

    [Fact]
    public async Task Set_counts_boundaries_of_the_tuple_active_at_that_instant_pending_ones_included()
    {
        await Editor.SetAsync(Name, "1", tick: TimeSpan.FromSeconds(7), cancellationToken: Cancel);

        Assert.Equal(At(27), (await Editor.SetAsync(Name, "2", At(21), cancellationToken: Cancel)).ActiveAt);
        Assert.Equal(["20:1/7", "27:2/7"], await TimelineAsync());
    }

    [Fact]
    public async Task An_occupied_boundary_is_a_conflict_and_not_an_overwrite()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);

        var conflict = await Assert.ThrowsAsync<TickConflictException>(() => Editor.SetAsync(Name, "2", cancellationToken: Cancel));

        Assert.Equal(At(20), conflict.Occupant.ActiveAt);
        Assert.Equal(["20:1/10"], await TimelineAsync());
    }

    [Fact]
    public async Task A_pending_value_is_replaced_when_that_is_asked_for()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);

        var change = await Editor.SetAsync(Name, "2", replace: true, cancellationToken: Cancel);

        Assert.True(change.Replaced);
        Assert.Equal(["20:2/10"], await TimelineAsync());
    }

    [Fact]
    public async Task Remove_takes_out_a_pending_value_and_says_when_there_is_none()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);

        Assert.Equal("1", (await Editor.RemoveAsync(Name, At(20), Cancel))!.Tuple!.Json);
        Assert.Null(await Editor.RemoveAsync(Name, At(20), Cancel));
        Assert.Empty((await ScheduleAsync()).Tuples);
        Assert.Empty(await Store.ListAsync(Cancel));
    }

    [Fact]
    public async Task A_variable_is_removed_with_all_its_values_and_can_be_made_again()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        await Editor.SetAsync("other", "1", cancellationToken: Cancel);
        Time.Advance(TimeSpan.FromSeconds(25));
        await Editor.SetAsync(Name, "2", cancellationToken: Cancel);

        Assert.Equal(["1", "2"], (await Editor.RemoveAllAsync(Name, Cancel))!.Operations.Select(removed => removed.Tuple.Json));
        Assert.Null(await Editor.RemoveAllAsync(Name, Cancel));
        Assert.Empty((await ScheduleAsync()).Tuples);
        Assert.Equal(["other"], await Store.ListAsync(Cancel));

        await Editor.SetAsync(Name, "3", cancellationToken: Cancel);
        Assert.Equal("3", Assert.Single((await ScheduleAsync()).Tuples).Json);
    }

    [Theory]
    [InlineData(9.999, true)]
    [InlineData(10, false)]
    [InlineData(20, false)]
    [InlineData(25, false)]
    public async Task What_some_process_may_already_go_by_is_refused_to_removals_and_replacements(double now, bool allowed)
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        Time.AdvanceTo(At(now));

        if (allowed)
        {
            Assert.NotNull(await Editor.RemoveAsync(Name, At(20), Cancel));
        }
        else
        {
            var late = await Assert.ThrowsAsync<TickTooLateException>(() => Editor.RemoveAsync(Name, At(20), Cancel));
            Assert.Equal((await ScheduleAsync()).NextAvailableChangeAt(Time.GetUtcNow()), late.NextAvailable);
            Assert.True((await Editor.SetAsync(Name, "2", At(20), replace: true, cancellationToken: Cancel)).ActiveAt > At(20));
            Assert.Equal("1", (await ScheduleAsync()).ActiveAt(At(20))!.Json);
        }
    }

    [Fact]
    public async Task A_tick_below_the_safe_minimum_is_refused()
    {
        var small = await Assert.ThrowsAsync<TickTooSmallException>(() =>
            Editor.SetAsync(Name, "1", tick: TimeSpan.FromMilliseconds(150), cancellationToken: Cancel)
        );

        Assert.Equal(Settings.MinimumTick, small.Minimum);
        Assert.NotNull(await Editor.SetAsync(Name, "1", tick: small.Minimum, cancellationToken: Cancel));
        await Assert.ThrowsAsync<TickTooSmallException>(() =>
            Editor.RampAsync(
                "other",
                new TickRamp(0, 100, TimeSpan.FromHours(1)),
                tick: small.Minimum - TimeSpan.FromMilliseconds(1),
                cancellationToken: Cancel
            )
        );
    }

    [Fact]
    public async Task When_the_tick_changes_before_them_pending_values_move_to_valid_boundaries_in_order()
    {
        await Editor.SetAsync(Name, "1", At(60), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "2", At(70), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "3", At(120), cancellationToken: Cancel);

        var change = await Editor.SetAsync(Name, "0", At(30), TimeSpan.FromSeconds(50), cancellationToken: Cancel);

        Assert.Equal(["30:0/50", "80:1/10", "90:2/10", "120:3/10"], await TimelineAsync());
        Assert.Equal([TickAction.Set, TickAction.Move, TickAction.Move], change.Operations.Select(operation => operation.Action));
        Assert.Equal([null, At(60), At(70)], change.Operations.Select(operation => operation.MovedFrom));
    }

    [Fact]
    public async Task When_a_tick_change_is_removed_what_counted_on_it_moves_and_no_two_meet()
    {
        await Editor.SetAsync(Name, "1", At(30), TimeSpan.FromSeconds(3), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "2", At(33), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "3", At(36), TimeSpan.FromSeconds(10), cancellationToken: Cancel);

        await Editor.RemoveAsync(Name, At(30), Cancel);

        Assert.Equal(["40:2/3", "43:3/10"], await TimelineAsync());
    }

    [Fact]
    public async Task A_value_goes_back_towards_its_wish_when_a_change_of_the_tick_allows_it()
    {
        await Editor.SetAsync(Name, "1", At(1000), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "0", At(50), TimeSpan.FromSeconds(54), cancellationToken: Cancel);
        Assert.Equal(["50:0/54", "1022:1/10"], await TimelineAsync());

        await Editor.SetAsync(Name, "2", At(900), TimeSpan.FromSeconds(7), cancellationToken: Cancel);
        Assert.Equal(["50:0/54", "914:2/7", "1005:1/10"], await TimelineAsync());
        await Editor.RemoveAsync(Name, At(914), Cancel);
        await using var again = await OpenAsync(Settings);
        Assert.Equal(At(1000), (await again.ReadAsync(Name, Cancel)).Schedule.Tuples[^1].WishedAt);
        await new TickEditor(again).RemoveAsync(Name, At(50), Cancel);

        Assert.Equal(["1000:1/10"], await TimelineAsync());
    }

    [Fact]
    public async Task A_wish_between_boundaries_is_kept_to_the_millisecond_and_never_undercut()
    {
        await Editor.SetAsync(Name, "1", At(101.0001), cancellationToken: Cancel);
        await Editor.SetAsync(Name, "0", At(30), TimeSpan.FromMilliseconds(1000), cancellationToken: Cancel);

        Assert.Equal(["30:0/1", "102:1/10"], await TimelineAsync());
        Assert.Equal(At(101.001), (await ScheduleAsync()).Tuples[1].WishedAt);
    }

    [Fact]
    public async Task Values_that_are_set_together_switch_at_the_first_boundary_that_all_have()
    {
        await Editor.SetAsync("a", "0", At(30), TimeSpan.FromSeconds(7), cancellationToken: Cancel);
        var before = (await Store.ReadAsync("a", Cancel)).Stamp.Version;

        var changes = await Editor.SetTogetherAsync(
            new Dictionary<string, string>
            {
                ["c"] = "3",
                ["a"] = "1",
                ["b"] = "2",
            },
            At(31),
            cancellationToken: Cancel
        );

        // 30, 37, 44, 51, 58, 65, 72, 79, 86, 93, 100.
        Assert.Equal(["a", "b", "c"], changes.Select(change => change.Variable));
        Assert.All(changes, change => Assert.Equal(At(100), change.ActiveAt));
        foreach (var (name, json) in new[] { ("a", "1"), ("b", "2"), ("c", "3") })
        {
            var reading = await Store.ReadAsync(name, Cancel);
            Assert.Equal(json, reading.Schedule.ActiveAt(At(100))!.Json);
            Assert.Equal(before + 1, reading.Stamp.Version);
        }

        var trails = await Task.WhenAll(new[] { "a", "b", "c" }.Select(name => Store.ReadAuditAsync(name, 1, Cancel)));
        Assert.Single(trails.Select(trail => Assert.Single(trail).ChangeId).Distinct());
    }

    [Fact]
    public async Task Of_values_that_are_set_together_all_are_set_or_none()
    {
        await Editor.SetAsync("b", "0", cancellationToken: Cancel);
        var values = new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" };

        await Assert.ThrowsAsync<TickConflictException>(() => Editor.SetTogetherAsync(values, cancellationToken: Cancel));
        Assert.Empty((await Store.ReadAsync("a", Cancel)).Schedule.Tuples);
        Assert.Empty(await Store.ReadAuditAsync("a", 10, Cancel));

        await Editor.SetTogetherAsync(values, replace: true, cancellationToken: Cancel);
        Assert.Equal("2", Assert.Single((await Store.ReadAsync("b", Cancel)).Schedule.Tuples).Json);
    }

    [Fact]
    public async Task Values_that_were_set_together_are_not_parted_by_a_change_of_one_tick()
    {
        var values = new Dictionary<string, string> { [Name] = "1", ["b"] = "2" };
        await Editor.SetTogetherAsync(values, At(100), cancellationToken: Cancel);
        await using var again = await OpenAsync(Settings);
        var other = new TickEditor(again);

        await Assert.ThrowsAsync<TickGroupException>(() =>
            other.SetAsync(Name, "0", At(50), TimeSpan.FromSeconds(7), cancellationToken: Cancel)
        );
        Assert.Equal(["100:1/10"], await TimelineAsync());
        await other.SetAsync(Name, "0", At(50), TimeSpan.FromSeconds(5), cancellationToken: Cancel);
        Assert.Equal(["50:0/5", "100:1/10"], await TimelineAsync());
        await other.RemoveAsync("b", At(100), Cancel);
    }

    [Fact]
    public async Task Variables_without_a_common_boundary_are_not_set_together()
    {
        await Editor.SetAsync("a", "0", At(30), TimeSpan.FromSeconds(10), cancellationToken: Cancel);
        await Editor.SetAsync("b", "0", At(30), TimeSpan.FromSeconds(3), cancellationToken: Cancel);
        await Editor.SetAsync("b", "1", At(36), TimeSpan.FromSeconds(10), cancellationToken: Cancel);

        await Assert.ThrowsAsync<TickNoCommonBoundaryException>(() =>
            Editor.SetTogetherAsync(new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" }, At(50), cancellationToken: Cancel)
        );
    }

    [Fact]
    public async Task Of_twenty_writers_nothing_is_lost_and_each_gets_its_turns()
    {
        const int Writes = 25;
        var writers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => OpenAsync(Settings)));
        await Task.WhenAll(
            writers.Select(
                (writer, i) =>
                    Task.Run(
                        async () =>
                        {
                            for (var n = 0; n < Writes; n++)
                                await new TickEditor(writer, $"{i}").SetAsync(Name, $"{n}", replace: true, cancellationToken: Cancel);
                        },
                        Cancel
                    )
            )
        );

        var trail = await Store.ReadAuditAsync(Name, 1000, Cancel);
        foreach (var i in Enumerable.Range(0, 20))
        {
            Assert.Equal(
                Enumerable.Range(0, Writes).Select(n => $"{n}"),
                trail.Where(entry => entry.Who == $"{i}").Select(entry => entry.Operation.Tuple.Json)
            );
        }

        Assert.Equal(20 * Writes, (await Store.ReadAsync(Name, Cancel)).Stamp.Version);
        foreach (var writer in writers)
            await writer.DisposeAsync();
    }

    [Fact]
    public async Task Reschedule_moves_what_something_else_wrote_off_the_boundaries_and_leaves_the_rest()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        await Store.ChangeAsync(
            Name,
            "a script",
            _ => new TickEdit([new(TickAction.Set, new(At(33), "2", Tick)), new(TickAction.Set, new(At(47), "3", Tick))], null, null),
            Cancel
        );

        var change = await Editor.RescheduleAsync(Name, Cancel);

        Assert.Equal(["20:1/10", "40:2/10", "50:3/10"], await TimelineAsync());
        Assert.Equal(2, change!.Operations.Count);
        Assert.Null(await Editor.RescheduleAsync(Name, Cancel));
    }

    [Fact]
    public async Task Purge_keeps_the_active_value_the_pending_ones_and_the_newest_expired()
    {
        foreach (var i in Enumerable.Range(2, 9))
            await Editor.SetAsync(Name, $"{i}", At(i * 10), cancellationToken: Cancel);
        Time.AdvanceTo(At(95));

        // 9 has been active for five seconds: 8 is not yet safe to forget.
        Assert.Single((await Editor.PurgeAsync(Name, cancellationToken: Cancel))!.Operations);
        Assert.Equal(["3", "4", "5", "6", "7", "8", "9", "10"], (await ScheduleAsync()).Tuples.Select(tuple => tuple.Json));
        Assert.Null(await Editor.PurgeAsync(Name, cancellationToken: Cancel));
        await Editor.PurgeAsync(Name, 0, Cancel);
        Assert.Equal(["8", "9", "10"], (await ScheduleAsync()).Tuples.Select(tuple => tuple.Json));
    }

    [Fact]
    public async Task Set_clears_away_all_but_five_expired_values_unless_told_otherwise()
    {
        var clearing = new TickEditor(Store, "ann");
        foreach (var i in Enumerable.Range(2, 9))
            await clearing.SetAsync(Name, $"{i}", At(i * 10), cancellationToken: Cancel);
        Time.AdvanceTo(At(105));
        await clearing.SetAsync(Name, "12", cancellationToken: Cancel);

        Assert.Equal(["4", "5", "6", "7", "8", "9", "10", "12"], (await ScheduleAsync()).Tuples.Select(tuple => tuple.Json));
    }

    [Fact]
    public async Task A_ramp_writes_every_step_or_nothing()
    {
        var change = await Editor.RampAsync(Name, new TickRamp(0, 100, TimeSpan.FromSeconds(40)), cancellationToken: Cancel);
        Assert.Equal(["20:0/10", "30:25/10", "40:50/10", "50:75/10", "60:100/10"], await TimelineAsync());
        Assert.Equal(At(20), change.ActiveAt);
        Assert.Equal(
            ["100", "66.6667", "33.3333", "0"],
            (
                await Editor.RampAsync(Name, new TickRamp(100, 0, TimeSpan.FromSeconds(60), 3), At(65), cancellationToken: Cancel)
            ).Operations.Select(operation => operation.Tuple.Json)
        );

        await Assert.ThrowsAsync<TickConflictException>(() =>
            Editor.RampAsync(Name, new TickRamp(0, 1, TimeSpan.FromSeconds(30)), At(125), cancellationToken: Cancel)
        );
        Assert.Equal(9, (await ScheduleAsync()).Tuples.Count);
        Assert.Equal(
            ["9 Set"],
            (await Store.ReadAuditAsync(Name, 100, Cancel))
                .GroupBy(entry => entry.Operation.Action)
                .Select(group => $"{group.Count()} {group.Key}")
        );
        Assert.Equal(2, (await Store.ReadAuditAsync(Name, 100, Cancel)).Select(entry => entry.ChangeId).Distinct().Count());
    }

    [Fact]
    public async Task The_audit_trail_says_who_did_what_when()
    {
        await Editor.SetAsync(Name, "1", cancellationToken: Cancel);
        Time.Advance(TimeSpan.FromSeconds(1));
        await new TickEditor(Store, "bob").RemoveAsync(Name, At(20), Cancel);

        var trail = await Store.ReadAuditAsync(Name, 10, Cancel);

        var tuple = new TickTuple(At(20), "1", Tick);
        Assert.Equal(
            [("ann", At(3), new TickOperation(TickAction.Set, tuple)), ("bob", At(4), new TickOperation(TickAction.Remove, tuple))],
            trail.Select(entry => (entry.Who, entry.At, entry.Operation))
        );
        Assert.Equal(trail[1], Assert.Single(await Store.ReadAuditAsync(Name, 1, Cancel)));
        Assert.Empty(await Store.ReadAuditAsync("other", 10, Cancel));
    }

    [Fact]
    public async Task What_a_decision_throws_leaves_no_trace()
    {
        await Assert.ThrowsAsync<JsonException>(() => Store.ChangeAsync(Name, "ann", _ => throw new JsonException("no"), Cancel));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Editor.SetAsync(Name, "1", cancellationToken: new CancellationToken(canceled: true))
        );

        Assert.Empty((await ScheduleAsync()).Tuples);
        Assert.Empty(await Store.ReadAuditAsync(Name, 10, Cancel));
    }

    [Fact]
    public async Task A_commit_after_its_deadline_is_rolled_back_and_decided_again()
    {
        var slow = 1;
        var store = new HookedTickStore(Store)
        {
            AfterDecision = edit => Time.AdvanceTo(slow-- > 0 ? edit.Deadline!.Value : Time.GetUtcNow()),
        };

        Assert.Equal(At(30), (await new TickEditor(store).SetAsync(Name, "1", cancellationToken: Cancel)).ActiveAt);

        Assert.Equal(["30:1/10"], await TimelineAsync());
        Assert.Single(await Store.ReadAuditAsync(Name, 10, Cancel));
    }

    [Fact]
    public async Task A_store_that_stays_too_slow_is_an_error_that_leaves_no_trace()
    {
        var store = new HookedTickStore(Store) { AfterDecision = edit => Time.AdvanceTo(edit.Deadline!.Value) };

        var missed = await Assert.ThrowsAsync<TickDeadlineException>(() =>
            new TickEditor(store).SetAsync(Name, "1", cancellationToken: Cancel)
        );

        Assert.Equal(At(30), missed.Deadline);
        Assert.Empty((await ScheduleAsync()).Tuples);
        Assert.Empty(await Store.ReadAuditAsync(Name, 10, Cancel));
    }

    [Fact]
    public async Task A_commit_that_ends_too_late_for_some_readers_is_reported()
    {
        var commit = await Store.ChangeAsync(
            Name,
            "ann",
            reading => TickRules.Set(Name, reading, "1", null, null, replace: false) with { VisibleBy = reading.StoreTime - Tick },
            Cancel
        );

        Assert.True(commit.IsLate);
        Assert.Equal(["20:1/10"], await TimelineAsync());
    }

    [Fact]
    public async Task Names_are_told_apart_ordinally_and_listed()
    {
        string[] names = ["a", "A", "ä", "a ", "Z'; DROP TABLE x --"];
        foreach (var name in names)
            await Editor.SetAsync(name, $"\"{name}\"", cancellationToken: Cancel);

        Assert.Equal(names.Order(StringComparer.Ordinal), await Store.ListAsync(Cancel));
        foreach (var name in names)
            Assert.Equal($"\"{name}\"", Assert.Single((await Store.ReadAsync(name, Cancel)).Schedule.Tuples).Json);
        await Assert.ThrowsAsync<ArgumentException>(() => Editor.SetAsync("", "1", cancellationToken: Cancel));
        await Assert.ThrowsAsync<ArgumentException>(() => Editor.SetAsync("a\0b", "1", cancellationToken: Cancel));
    }

    [Fact]
    public async Task Of_writers_at_once_each_lands_or_gets_a_clear_conflict()
    {
        await using var other = await OpenAsync(Settings);
        TickEditor[] editors = [Editor, new(other, "bob") { KeepExpired = null }];
        var outcomes = await Task.WhenAll(
            Enumerable
                .Range(0, 60)
                .Select(i =>
                    Task.Run(
                        async () =>
                        {
                            try
                            {
                                var change = await editors[i % 2].SetAsync(Name, $"{i}", At(20 + (i % 7 * 10)), cancellationToken: Cancel);
                                return $"{(change.ActiveAt!.Value - At(0)).TotalSeconds}:{i}/10";
                            }
                            catch (TickConflictException)
                            {
                                return null;
                            }
                        },
                        Cancel
                    )
                )
        );

        // Seven boundaries were requested: each has one winner, who was told so, and everyone else a conflict.
        var winners = outcomes.Where(outcome => outcome is not null).Order(StringComparer.Ordinal);
        Assert.Equal(winners, (await TimelineAsync()).Order(StringComparer.Ordinal));
        Assert.Equal(7, winners.Count());
        Assert.Equal(7, (await Store.ReadAuditAsync(Name, 100, Cancel)).Count);
    }
}
