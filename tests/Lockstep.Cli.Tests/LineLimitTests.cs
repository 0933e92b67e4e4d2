using System.Net;
using System.Net.Sockets;
using Lockstep.Cli.Output;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What others cause is logged in a few lines per minute, with the number of lines left out.</summary>
public sealed class LineLimitTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _lines = [];

    public static TheoryData<string, long> Limits =>
        new() { { "LineLimit.Most", LineLimit.Most }, { "LineLimit.MostInAll", LineLimit.MostInAll } };

    private LineLimit Limit => field ??= new LineLimit(_time, _lines.Add);

    [Theory]
    [MemberData(nameof(Limits))]
    public void A_limit_in_the_document_is_that_of_the_code(string name, long value) => Assert.Equal(value, DocumentedLimits.Of(name));

    [Fact]
    public void One_source_is_told_of_ten_times_a_minute_and_then_counted()
    {
        for (var i = 0; i < 1234; i++)
            Limit.Write("failed connections", "10.0.0.1", $"line {i}");
        Limit.Write("failed connections", "10.0.0.2", "another");

        Assert.Equal([.. Enumerable.Range(0, 10).Select(i => $"line {i}"), "another"], _lines);
        _time.Advance(LineLimit.Window);
        Assert.Equal(
            "lockstep: 1,224 more lines of the last minute were left out: 1,224 about failed connections of 10.0.0.1.",
            _lines[^1]
        );

        Limit.Write("failed connections", "10.0.0.1", "again");
        Assert.Equal("again", _lines[^1]);
        var before = _lines.Count;
        _time.Advance(LineLimit.Window);
        Assert.Equal(before, _lines.Count);
    }

    [Fact]
    public void Many_sources_write_a_hundred_lines_together()
    {
        for (var i = 0; i < 50_000; i++)
            Limit.Write("failed connections", $"source {i}", "line");

        Assert.Equal(100, _lines.Count);
        _time.Advance(LineLimit.Window);
        Assert.StartsWith("lockstep: 49,900 more lines of the last minute were left out: 1 about", _lines[^1], StringComparison.Ordinal);
        Assert.EndsWith(", and perhaps others.", _lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_listener_tells_of_a_peer_that_is_refused_again_and_again_ten_times()
    {
        using var folder = new TempFolder();
        using var listener = CliProcess.Start(folder.Path, "gossip", "listen", "--port", "0");
        try
        {
            var first = await listener.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            var port = new Uri(first!.Split(' ')[^1]).Port;
            for (var i = 0; i < 40; i++)
            {
                using var peer = new TcpClient();
                await peer.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
                var stream = peer.GetStream();
                await stream.WriteAsync("nonsense\n"u8.ToArray(), TestContext.Current.CancellationToken);
                // Wait until it has ended, so that the line was written.
                using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
                deadline.CancelAfter(TimeSpan.FromSeconds(30));
                await stream.CopyToAsync(Stream.Null, deadline.Token).ContinueWith(static _ => { }, CancellationToken.None);
            }
        }
        finally
        {
            listener.Kill();
        }

        var told = await listener.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.InRange(told.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 1, 10);
    }
}
