using System.Diagnostics;
using System.Text.Json;
using Lockstep.Testing;
using Lockstep.Ticks;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep var, as a process of its own.</summary>
public sealed class VarCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Store => _folder["v.db"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_whole_variable_is_removed()
    {
        Assert.Equal(0, (await RunAsync("var", "set", "x", "1", "--store", Store)).ExitCode);

        var unsaid = await RunAsync("var", "remove", "x", "--store", Store);
        var removed = await RunAsync("var", "remove", "x", "--all", "--store", Store, "--json");
        var again = await RunAsync("var", "remove", "x", "--all", "--store", Store);

        Assert.Equal((2, 0, 1), (unsaid.ExitCode, removed.ExitCode, again.ExitCode));
        Assert.Equal("removed", JsonDocument.Parse(removed.Output).RootElement.GetProperty("state").GetString());
        Assert.Contains("There is no variable 'x'", again.Error, StringComparison.Ordinal);
        Assert.Equal("", (await RunAsync("var", "list", "--store", Store, "--json")).Output);
    }

    [Theory]
    [InlineData("x", "lockstep var remove x --active-at ")]
    [InlineData("a b", "lockstep var remove 'a b' --active-at ")]
    public async Task A_value_that_is_in_the_way_can_be_removed_as_the_error_says(string name, string command)
    {
        await RunAsync("var", "set", name, "1", "--store", Store, "--active-at", "2099-01-01T00:00:00Z");

        var second = await RunAsync("var", "set", name, "2", "--store", Store, "--active-at", "2099-01-01T00:00:00Z");
        var time = second.Error[(second.Error.IndexOf(command, StringComparison.Ordinal) + command.Length)..].Split(' ')[0];
        var removed = await RunAsync("var", "remove", name, "--active-at", time, "--store", Store);

        Assert.Contains(command, second.Error, StringComparison.Ordinal);
        Assert.Equal((1, 0), (second.ExitCode, removed.ExitCode));
    }

    [Fact]
    public async Task A_time_that_is_past_is_said()
    {
        var set = await RunAsync("var", "set", "x", "1", "--active-at", "2020-01-01", "--store", Store);

        Assert.Equal(0, set.ExitCode);
        Assert.Contains("--active-at is past", set.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_that_is_set_is_watched_as_it_becomes_active_got_and_listed()
    {
        using var watch = Start("var", "watch", "banner", "--store", await MakeStoreAsync(), "--include-current", "--first", "2", "--json");
        try
        {
            // The current value shows that the watch has started.
            using (var current = await ReadAsync(watch))
                Assert.Equal("start", current.RootElement.GetProperty("value").GetString());

            var set = await RunAsync("var", "set", "banner", "{\"a\":[1,\n\"x\"]}", "--store", Store, "--json");
            Assert.Equal(0, set.ExitCode);
            using var announced = JsonDocument.Parse(set.Output);
            Assert.Equal("pending", announced.RootElement.GetProperty("state").GetString());

            using var seen = await ReadAsync(watch);
            Assert.Equal("""{"a":[1,"x"]}""", seen.RootElement.GetProperty("value").GetRawText());
            Assert.Equal(announced.RootElement.GetProperty("activeAt").GetString(), seen.RootElement.GetProperty("activeAt").GetString());
            Assert.True(
                seen.RootElement.GetProperty("switchedAt").GetDateTimeOffset()
                    >= seen.RootElement.GetProperty("activeAt").GetDateTimeOffset()
            );
            await watch.WaitForExitAsync(Cancelled);
            Assert.Equal(0, watch.ExitCode);
        }
        finally
        {
            if (!watch.HasExited)
                watch.Kill();
        }

        var got = await RunAsync("var", "get", "banner", "--store", Store, "--json");
        using var value = JsonDocument.Parse(got.Output);
        Assert.Equal("""{"a":[1,"x"]}""", value.RootElement.GetProperty("value").GetRawText());
        var list = await RunAsync("var", "list", "banner", "--store", Store);
        Assert.Matches(@"(?s)Name +State +ActiveAt.*banner +past .*banner +current ", list.Output);
    }

    [Fact]
    public async Task Text_is_printed_as_it_is_and_the_store_may_come_from_the_environment()
    {
        await MakeStoreAsync();
        var got = await RunAsync(["var", "get", "banner"], ("LOCKSTEP_STORE", Store));
        Assert.Equal((0, "start\n"), (got.ExitCode, got.Output.ReplaceLineEndings("\n")));
    }

    [Fact]
    public async Task A_ramp_is_written_step_by_step()
    {
        var ramp = await RunAsync(
            "var",
            "set",
            "share",
            "--from",
            "0",
            "--to",
            "1",
            "--over",
            "2h",
            "--steps",
            "4",
            "--store",
            Store,
            "--json"
        );
        Assert.Equal(0, ramp.ExitCode);
        Assert.Equal(
            ["0", "0.25", "0.5", "0.75", "1"],
            ramp.Output.TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement.GetProperty("value").GetRawText())
        );
        var list = await RunAsync("var", "list", "--store", Store, "--json");
        using var variable = JsonDocument.Parse(list.Output);
        Assert.Equal(JsonValueKind.Null, variable.RootElement.GetProperty("value").ValueKind);
        Assert.Equal(0, variable.RootElement.GetProperty("nextValue").GetInt32());
    }

    [Theory]
    [InlineData(2, "not JSON", "set", "v", "blue", "--store", "{store}")]
    [InlineData(2, "--from, --to and --over", "set", "v", "--from", "1", "--store", "{store}")]
    [InlineData(2, "either a value", "set", "v", "--store", "{store}")]
    [InlineData(2, "duration", "set", "v", "1", "--tick", "soon", "--store", "{store}")]
    [InlineData(2, "LOCKSTEP_STORE", "list")]
    [InlineData(2, "each variable once", "set-group", "a", "--store", "{store}")]
    [InlineData(2, "each variable once", "set-group", "a=1", "a=2", "--store", "{store}")]
    [InlineData(2, "not JSON", "set-group", "a=blue", "--store", "{store}")]
    [InlineData(2, "--active-at", "remove", "v", "--store", "{store}")]
    [InlineData(3, "no connection", "list", "--store", "redis://u:s3cret@127.0.0.1:1")]
    [InlineData(2, "prefix", "list", "--store", "redis://u:s3cret@127.0.0.1:1?s3cret")]
    [InlineData(2, "memory", "list", "--store", "memory")]
    [InlineData(3, "TickStoreUnavailable", "get", "v", "--store", "{store}")]
    [InlineData(3, "TickStoreUnavailable", "list", "--store", "Host=127.0.0.1;Port=1;Password=s3cret")]
    [InlineData(2, "cannot be read", "list", "--store", "Host=127.0.0.1;Password=a;s3cret=b")]
    [InlineData(1, "TickTooSmall", "set", "v", "1", "--tick", "1ms", "--store", "{store}")]
    public async Task What_is_wrong_is_told_on_standard_error(int exitCode, string says, params string[] arguments)
    {
        var run = await RunAsync([
            .. arguments.Prepend("var").Select(argument => argument.Replace("{store}", Store, StringComparison.Ordinal)),
        ]);
        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
        Assert.DoesNotContain("s3cret", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Values_are_set_together_removed_and_read_at_a_time_to_come()
    {
        var set = await RunAsync("var", "set-group", "a=1", "b=\"x\"", "--active-at", "2090-01-01T00:00:01Z", "--store", Store, "--json");
        Assert.Equal((0, ""), (set.ExitCode, set.Error));
        Assert.Equal(
            ["a 2090-01-01T00:00:10.000Z", "b 2090-01-01T00:00:10.000Z"],
            set.Output.TrimEnd()
                .Split('\n')
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Select(line => $"{line.GetProperty("name").GetString()} {line.GetProperty("activeAt").GetString()}")
        );
        var later = await RunAsync("var", "get", "b", "--at", "2090-01-01T00:00:10Z", "--store", Store);
        var before = await RunAsync("var", "get", "b", "--at", "2090-01-01T00:00:09.999Z", "--store", Store);
        Assert.Equal(("x", "null"), (later.Output.TrimEnd(), before.Output.TrimEnd()));

        var parted = await RunAsync("var", "set", "b", "2", "--active-at", "2089-01-01", "--tick", "7", "--store", Store);
        Assert.Equal(1, parted.ExitCode);
        Assert.Contains("TickGroup", parted.Error, StringComparison.Ordinal);

        string[] remove = ["var", "remove", "a", "--active-at", "2090-01-01T00:00:10Z", "--store", Store];
        Assert.Equal("2090-01-01T00:00:10.000Z  a  1  (removed)", (await RunAsync(remove)).Output.TrimEnd());
        var again = await RunAsync(remove);
        Assert.Equal((1, ""), (again.ExitCode, again.Output));
        Assert.Contains("no value that becomes active", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whether_a_percentage_includes_a_key_is_printed()
    {
        await RunAsync("var", "set", "share", "100", "--store", Store);
        await RunAsync("var", "set", "word", "off", "--text", "--store", Store);
        const string Later = "2090-01-01";

        var both = await RunAsync("var", "get", "share", "--for", "ann", "--for", "bob", "--at", Later, "--store", Store);
        Assert.Equal("true\ntrue\n", both.Output.ReplaceLineEndings("\n"));
        var none = await RunAsync("var", "get", "share", "--for", "ann", "--store", Store, "--json", "--at", "2000-01-01");
        using var line = JsonDocument.Parse(none.Output);
        Assert.False(line.RootElement.GetProperty("isIncluded").GetBoolean());
        Assert.Equal(0, line.RootElement.GetProperty("percent").GetDecimal());
        Assert.InRange(line.RootElement.GetProperty("position").GetDecimal(), 0, 100);
        var word = await RunAsync("var", "get", "word", "--for", "ann", "--at", Later, "--store", Store);
        Assert.Equal((2, ""), (word.ExitCode, word.Output));
        Assert.Contains("not a percentage", word.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Past_values_are_purged_and_what_lies_beside_a_boundary_is_moved_to_it()
    {
        await using (var store = new SqliteTickStore(Store, TickSettings.Default))
        {
            var tick = TickSettings.Default.DefaultTick;
            await store.ChangeAsync(
                "v",
                "a script",
                _ => new TickEdit(
                    [
                        .. Enumerable
                            .Range(2001, 8)
                            .Select(year => new TickOperation(TickAction.Set, new TickTuple(NewYear(year), $"{year}", tick))),
                        new TickOperation(TickAction.Set, new TickTuple(NewYear(2090).AddSeconds(3), "2090", tick)),
                    ],
                    null,
                    null
                ),
                Cancelled
            );
        }

        var purged = await RunAsync("var", "purge", "--keep", "2", "--store", Store, "--json");
        Assert.Equal(
            ["2001 purged", "2002 purged", "2003 purged", "2004 purged", "2005 purged"],
            purged
                .Output.TrimEnd()
                .Split('\n')
                .Select(line => JsonDocument.Parse(line).RootElement)
                .Select(line => $"{line.GetProperty("value").GetInt32()} {line.GetProperty("state").GetString()}")
        );
        var moved = await RunAsync("var", "reschedule", "v", "--store", Store);
        Assert.Equal("2090-01-01T00:00:10.000Z  v  2090  (moved from 2090-01-01T00:00:03.000Z)", moved.Output.TrimEnd());
        Assert.Equal("", (await RunAsync("var", "reschedule", "--store", Store)).Output);

        static DateTimeOffset NewYear(int year) => new(year, 1, 1, 0, 0, 0, TimeSpan.Zero);
    }

    [Fact]
    public async Task A_store_in_Redis_is_used_as_any_other()
    {
        await using var server = await RedisServer.StartAsync(Cancelled);
        string[] store = ["--store", $"redis://{server.Host}?prefix=flags"];
        Assert.Equal(3, (await RunAsync(["var", "list", .. store])).ExitCode);
        var set = await RunAsync(["var", "set", "banner", "blue", "--text", "--active-at", "2090-01-01T00:00:00Z", .. store]);
        Assert.Equal((0, ""), (set.ExitCode, set.Error));
        var list = await RunAsync(["var", "list", "banner", .. store]);
        Assert.Contains("\"blue\"", list.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_variable_that_is_not_there_is_an_error()
    {
        await MakeStoreAsync();
        var run = await RunAsync("var", "get", "none", "--store", Store);
        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Contains("no variable 'none'", run.Error, StringComparison.Ordinal);
    }

    /// <summary>Creates the store, with the variable banner active as "start".</summary>
    private async Task<string> MakeStoreAsync()
    {
        var set = await RunAsync("var", "set", "banner", "start", "--text", "--default-tick", "1s", "--store", Store);
        Assert.Equal("", set.Error);
        var active = await RunAsync("var", "watch", "banner", "--include-current", "--first", "1", "--store", Store);
        Assert.Equal(0, active.ExitCode);
        return Store;
    }

    private static async Task<JsonDocument> ReadAsync(Process process) =>
        JsonDocument.Parse(
            await process.StandardOutput.ReadLineAsync(Cancelled)
                ?? throw new InvalidOperationException(await process.StandardError.ReadToEndAsync(Cancelled))
        );

    private static Task<Run> RunAsync(params string[] arguments) => RunAsync(arguments, ("LOCKSTEP_STORE", null));

    private static async Task<Run> RunAsync(string[] arguments, (string Name, string? Value) variable)
    {
        using var process = Start(arguments, variable);
        var output = process.StandardOutput.ReadToEndAsync(Cancelled);
        var error = await process.StandardError.ReadToEndAsync(Cancelled);
        await process.WaitForExitAsync(Cancelled);
        return new Run(process.ExitCode, await output, error);
    }

    private static Process Start(params string[] arguments) => Start(arguments, ("LOCKSTEP_STORE", null));

    private static Process Start(string[] arguments, (string Name, string? Value) variable)
    {
        var start = CliProcess.Info(arguments);
        start.Environment.Remove(variable.Name);
        if (variable.Value is not null)
            start.Environment[variable.Name] = variable.Value;
        return Process.Start(start)!;
    }

    private sealed record Run(int ExitCode, string Output, string Error);
}
