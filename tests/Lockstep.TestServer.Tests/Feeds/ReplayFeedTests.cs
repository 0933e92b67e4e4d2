using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Testing;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Tests.Faults;

namespace Lockstep.TestServer.Tests.Feeds;

public sealed class ReplayFeedTests
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
    public async Task A_cut_is_replayed_as_a_cut()
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
    public async Task A_replay_that_names_another_server_does_not_start()
    {
        using TempFolder folder = new();
        await File.WriteAllTextAsync(
            folder["r"],
            """{"lockstepRecording":2,"feed":"//evil.example/","request":"/a","status":200,"headers":{}}""",
            Cancelled
        );
        await Assert.ThrowsAsync<InvalidRecordingException>(() => ReplayAsync(folder["r"], 1));
    }

    [Fact]
    public async Task A_recorded_page_runs_no_script_beside_the_page_that_controls_the_server()
    {
        using TempFolder folder = new();
        await File.WriteAllLinesAsync(
            folder["r"],
            [
                """{"lockstepRecording":1,"status":200,"headers":{"Content-Type":"text/html","Content-Security-Policy":"script-src *"}}""",
                """{"at":0,"text":"<script>fetch('/_lockstep/faults')</script>"}""",
                """{"at":0,"end":"completed"}""",
            ],
            Cancelled
        );
        await using var replay = await ReplayAsync(folder["r"], 1);
        using HttpClient http = new();
        using var response = await http.GetAsync(replay.FeedUri, Cancelled);
        Assert.Equal(["sandbox"], response.Headers.GetValues("Content-Security-Policy"));
    }

    [Theory]
    [InlineData("1e308")]
    [InlineData("5e6")]
    public async Task A_pause_that_no_timer_can_measure_does_not_cut_the_answer(string at)
    {
        ManualTimeProvider time = new();
        using TempFolder folder = new();
        await File.WriteAllLinesAsync(
            folder["r"],
            ["""{"lockstepRecording":1,"status":200}""", $$"""{"at":{{at}},"text":"late\n"}""", """{"at":0,"end":"completed"}"""],
            Cancelled
        );
        await using var replay = await ReplayAsync(folder["r"], 1, time);
        (var client, _) = await RawClient.GetAsync(replay.Uri, "/servers/", Cancelled);
        await using (client)
        {
            await time.WaitForTimersAsync(1, Cancelled);
            Assert.Equal(RequestEnding.Open, replay.Requests[0].Ending);
            time.Advance(TimeSpan.FromDays(41));
            Assert.Equal("late\n", await client.ReadChunkAsync(Cancelled));
        }
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
