using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Testing;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Tests.Faults;

namespace Lockstep.TestServer.Tests.Recording;

public sealed class RecordingTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_finite_feed_is_replayed_byte_for_byte_and_ends()
    {
        using TempFolder folder = new();
        await using var real = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        var recording = await FeedRecorder.RecordAsync(Of(real), Cursor.Start, folder["r"], cancellationToken: Cancelled);
        Assert.Equal((200, 147, RecordingEnd.Completed), (recording.Status, recording.Bytes, recording.End));
        await using var replay = await ReplayAsync(folder["r"], 1000);
        using HttpClient http = new();
        using var response = await http.GetAsync(replay.FeedUri, Cancelled);
        Assert.Equal("text/plain", response.Content.Headers.ContentType!.ToString());
        Assert.Equal(await http.GetStringAsync(real.FeedUri, Cancelled), await response.Content.ReadAsStringAsync(Cancelled));
    }

    [Fact]
    public async Task Pauses_are_kept_and_the_speed_divides_them()
    {
        ManualTimeProvider time = new();
        using TempFolder folder = new();
        await File.WriteAllLinesAsync(
            folder["r"],
            [
                """{"lockstepRecording":1,"status":200,"headers":{"Instance-Name":"n1"}}""",
                """{"at":1,"text":"{}\n"}""",
                """{"at":61,"base64":"e30K/w=="}""",
                """{"at":61,"end":"stopped"}""",
            ],
            Cancelled
        );
        await using var replay = await ReplayAsync(folder["r"], 2, time);
        (var client, var head) = await RawClient.GetAsync(replay.Uri, "/anything", Cancelled);
        await using (client)
        {
            Assert.Contains("Instance-Name: n1\r\n", head, StringComparison.Ordinal);
            await AdvanceAsync(time, 0.5);
            Assert.Equal("{}\n", await client.ReadChunkAsync(Cancelled));
            await AdvanceAsync(time, 29.9);
            Assert.Equal(3, replay.Requests[0].Bytes);
            await AdvanceAsync(time, 0.1);
            Assert.Equal("{}\n\u00ff", await client.ReadChunkAsync(Cancelled));
            Assert.Equal(RequestEnding.Open, replay.Requests[0].Ending);
        }
    }

    [Fact]
    public async Task A_recording_keeps_the_times_at_which_bytes_came()
    {
        ManualTimeProvider time = new();
        using TempFolder folder = new();
        await using var real = await TestServers.StartScriptedAsync(Cancelled);
        var recording = FeedRecorder.RecordAsync(
            Of(real),
            Cursor.Start,
            folder["r"],
            new RecordingOptions { MaximumBytes = 18 },
            time,
            Cancelled
        );
        await real.WaitForClientsAsync(1, Cancelled);
        real.AddRecord("""{"id":1}""");
        await Eventually.TrueAsync(() => real.Requests[0].Bytes >= 9 && File.Exists(folder["r"]));
        real.AddRecord("""{"id":2}""");
        Assert.Equal((18, RecordingEnd.Stopped), ((await recording).Bytes, (await recording).End));
        RecordingLine[] lines = [.. RecordingFormat.Read(folder["r"])];
        Assert.Equal("{\"id\":1}\n{\"id\":2}\n", string.Concat(lines.Select(line => line.Text)));
        Assert.All(lines.Skip(1), line => Assert.Equal(0, line.At));
    }

    [Fact]
    public async Task A_cut_is_recorded_and_replayed_as_a_cut()
    {
        using TempFolder folder = new();
        await using var real = await FaultServer.StartAsync(Cancelled);
        real.Faults.Add(new CutFault { AtRecord = 1 });
        var recording = await FeedRecorder.RecordAsync(Of(real), Cursor.Start, folder["r"], cancellationToken: Cancelled);
        Assert.Equal((FaultServer.A.Length, RecordingEnd.Cut), (recording.Bytes, recording.End));
        await using var replay = await ReplayAsync(folder["r"], double.PositiveInfinity);
        (_, var body) = await replay.ReadAllAsync(Cancelled);
        Assert.Null(FaultServer.Unchunk(body));
        Assert.Equal(FaultServer.A, FaultServer.Unchunk(body + "0\r\n\r\n"));
    }

    [Fact]
    public async Task I9_no_secret_goes_into_the_file()
    {
        const string secret = "s3cr3t-value";
        using TempFolder folder = new();
        await using var real = await FaultServer.StartAsync(Cancelled);
        real.Faults.Add(new UnauthorizedFault { Token = $"me:{secret}", Scheme = AuthenticationScheme.Basic });
        real.Faults.Add(
            new StatusFault
            {
                Code = 299,
                Headers = new Dictionary<string, string> { ["Set-Cookie"] = secret },
            }
        );
        var feed = new UriBuilder(real.FeedUri) { UserName = "me", Password = secret }.Uri;
        var recording = await FeedRecorder.RecordAsync(
            new FeedOptions { Uri = feed, Headers = [new("X-Token", secret)] },
            Cursor.Start,
            folder["r"],
            cancellationToken: Cancelled
        );
        Assert.Equal(299, recording.Status);
        Assert.DoesNotContain(secret, await File.ReadAllTextAsync(folder["r"], Cancelled), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"lockstepRecording":2}""")]
    [InlineData("no json")]
    public async Task What_is_no_recording_is_refused(string text)
    {
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder["r"], text, Cancelled);
        await Assert.ThrowsAsync<InvalidRecordingException>(() => ReplayAsync(folder["r"], 1));
    }

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

    [Fact]
    public async Task A_snapshot_behind_a_redirect_is_what_gets_recorded()
    {
        using TempFolder folder = new();
        await using var real = await TestServers.StartAsync(FeedKind.Finite, Cancelled);
        await using var redirecting = await FaultServer.StartAsync(Cancelled);
        redirecting.Faults.Add(new RedirectFault { To = new Uri(real.FeedUri, "0").AbsoluteUri });
        var recording = await FeedRecorder.RecordAsync(Of(redirecting), Cursor.Start, folder["r"], cancellationToken: Cancelled);
        Assert.Equal((200, 147, RecordingEnd.Completed), (recording.Status, recording.Bytes, recording.End));
    }

    private static FeedOptions Of(LockstepTestServer server) => new() { Uri = server.FeedUri };

    private static async Task AdvanceAsync(ManualTimeProvider time, double seconds)
    {
        await time.WaitForTimersAsync(1, Cancelled);
        time.Advance(TimeSpan.FromSeconds(seconds));
    }

    private static Task<LockstepTestServer> ReplayAsync(string file, double speed, TimeProvider? time = null) =>
        LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Replay,
                ReplayFile = file,
                ReplaySpeed = speed,
            },
            time,
            Cancelled
        );
}
