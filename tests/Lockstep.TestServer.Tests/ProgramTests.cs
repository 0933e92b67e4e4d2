using System.Diagnostics;
using System.Net;
using Lockstep.Testing;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests;

public sealed class ProgramTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_says_where_it_listens_serves_and_ends_on_SIGTERM()
    {
        using var server = Start("--port", "0");
        try
        {
            var line = (await server.StandardOutput.ReadLineAsync(Cancelled))!;
            Assert.StartsWith("Listening on port ", line, StringComparison.Ordinal);
            (var client, var head) = await RawClient.GetAsync(
                new Uri("http://127.0.0.1:" + line.Split(' ')[^1]),
                "/servers/998",
                Cancelled
            );
            await using (client)
            {
                Assert.StartsWith("HTTP/1.1 200 ", head, StringComparison.Ordinal);
                if (OperatingSystem.IsWindows())
                    return;
                using var kill = Process.Start("kill", ["-TERM", $"{server.Id}"]);
                await server.WaitForExitAsync(Cancelled);
                Assert.Equal(0, server.ExitCode);
            }
        }
        finally
        {
            if (!server.HasExited)
                server.Kill();
        }
    }

    [Fact]
    public async Task A_taken_port_is_one_line_on_standard_error()
    {
        await using var holder = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        using var server = Start("--port", $"{holder.Uri.Port}");
        var error = await server.StandardError.ReadToEndAsync(Cancelled);
        await server.WaitForExitAsync(Cancelled);
        Assert.Equal(1, server.ExitCode);
        Assert.Contains("already in use", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("--records", "{\"id\":1")]
    [InlineData("--records", "[1]\n")]
    [InlineData("--records", null)]
    [InlineData("--scenario", "{\"id\":1")]
    [InlineData("--scenario", "[{\"pause\":1e300}]")]
    [InlineData("--scenario", "[{\"fault\":{\"kind\":\"Cut\",\"atByte\":{\n}}}]")]
    [InlineData("--scenario", null)]
    [InlineData("--replay", "{\"id\":1")]
    [InlineData("--replay", "")]
    [InlineData("--replay", null)]
    public async Task A_file_that_cannot_be_served_is_one_line_and_exit_code_2(string option, string? text)
    {
        using TempFolder folder = new();
        if (text is not null)
            await File.WriteAllTextAsync(folder["bad"], text, Cancelled);
        await AssertRefusedAsync("--port", "0", option, folder["bad"]);
    }

    [Theory]
    [InlineData("--feed", "7")]
    [InlineData("--feed", "replay")]
    [InlineData("--replay", "")]
    [InlineData("--record-to", "--record")]
    [InlineData("--record", "{\"id\":1")]
    [InlineData("--record", "file:///etc/hostname", "--record-to", "f")]
    [InlineData("--record", "http://127.0.0.1:1/", "--record-to", "f", "--seconds", "1e300")]
    public Task A_wrong_command_line_is_one_line_and_exit_code_2(params string[] arguments) => AssertRefusedAsync(arguments);

    [Fact]
    public void The_environments_PORT_counts_and_an_option_counts_more()
    {
        Assert.Equal(4567, Program.Parse([], null)!.Port);
        Assert.Equal(5000, Program.Parse([], "5000")!.Port);
        Assert.Equal(6000, Program.Parse(["--port", "6000"], "5000")!.Port);
    }

    [Fact]
    public void Options_choose_the_feed()
    {
        var options = Program.Parse(["--records", "a.ndjson", "--listen", "0.0.0.0"], null)!;
        Assert.Equal(FeedKind.Scripted, options.Feed);
        Assert.Equal("a.ndjson", options.RecordsFile);
        Assert.Equal(IPAddress.Any, options.ListenAddress);
        Assert.Equal(FeedKind.Finite, Program.Parse(["--feed", "finite"], null)!.Feed);
        Assert.Null(Program.Parse(["--help"], null));
    }

    [Theory]
    [InlineData("--port", "65536")]
    [InlineData("--port", "x")]
    [InlineData("--feed", "endless")]
    [InlineData("--listen", "nowhere")]
    [InlineData("--unknown", "1")]
    public void A_wrong_option_is_refused(string name, string value) =>
        Assert.Throws<ArgumentException>(() => Program.Parse([name, value], null));

    [Fact]
    public void The_program_records_and_replays()
    {
        (var feed, var file, var options) = Program
            .ParseRecording(["--record", "http://h/s", "--record-to", "f", "--seconds", "1.5"])!
            .Value;
        Assert.Equal(("http://h/s", "f", TimeSpan.FromSeconds(1.5)), (feed.ToString(), file, options.Duration));
        Assert.Null(Program.ParseRecording(["--port", "0"]));
        Assert.Throws<ArgumentException>(() => Program.ParseRecording(["--record", "http://h/s"]));
        var replay = Program.Parse(["--replay", "f", "--speed", "max"], null)!;
        Assert.Equal((FeedKind.Replay, "f", double.PositiveInfinity), (replay.Feed, replay.ReplayFile, replay.ReplaySpeed));
    }

    private static async Task AssertRefusedAsync(params string[] arguments)
    {
        using var server = Start(arguments);
        var error = await server.StandardError.ReadToEndAsync(Cancelled);
        await server.WaitForExitAsync(Cancelled);
        Assert.Equal(2, server.ExitCode);
        Assert.Single(error.TrimEnd().Split('\n'));
        Assert.DoesNotContain("Parameter", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    private static Process Start(params string[] arguments)
    {
        var assembly = typeof(LockstepTestServer).Assembly.Location;
        ProcessStartInfo start = new("dotnet", [assembly, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("PORT");
        return Process.Start(start)!;
    }
}
