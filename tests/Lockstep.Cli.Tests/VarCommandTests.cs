using System.Diagnostics;
using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep var, as a process of its own.</summary>
public sealed class VarCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Store => _folder["v.db"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_value_that_is_set_is_watched_as_it_becomes_active_got_and_listed()
    {
        using var watch = Start("var", "watch", "banner", "--store", await MakeStoreAsync(), "--include-current", "--first", "2", "--json");
        try
        {
            // The current value says that the watch has begun.
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
    [InlineData(2, "length of time", "set", "v", "1", "--tick", "soon", "--store", "{store}")]
    [InlineData(2, "LOCKSTEP_STORE", "list")]
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
    public async Task A_variable_that_is_not_there_is_an_error()
    {
        await MakeStoreAsync();
        var run = await RunAsync("var", "get", "none", "--store", Store);
        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Contains("no variable 'none'", run.Error, StringComparison.Ordinal);
    }

    /// <summary>Makes the store, with the variable banner active as "start".</summary>
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
