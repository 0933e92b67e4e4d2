using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Recording;

public sealed class RecordingTests
{
    private const string One = """{"id":1,"updated_at":1,"deleted_at":null}""";
    private const string Two = """{"id":2,"updated_at":2,"deleted_at":2}""";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_recording_keeps_the_times_at_which_bytes_came()
    {
        ManualTimeProvider time = new();
        using TempFolder folder = new();
        await using var real = await StartAsync(true);
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
        await Eventually.TrueAsync(() => real.Requests[0].Bytes >= 9);
        real.AddRecord("""{"id":2}""");
        Assert.Equal((18, RecordingEnd.Stopped), ((await recording).Bytes, (await recording).End));
        RecordingLine[] lines = [.. RecordingFormat.Read(folder["r"])];
        Assert.Equal("{\"id\":1}\n{\"id\":2}\n", string.Concat(lines.Select(line => line.Text)));
        Assert.All(lines.Skip(1), line => Assert.Equal(0, line.At));
    }

    [Fact]
    public async Task I9_no_secret_goes_into_the_file()
    {
        const string secret = "s3cr3t-value";
        using TempFolder folder = new();
        await using var real = await StartAsync(false, One, Two);
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

    [Fact]
    public async Task A_snapshot_behind_a_redirect_is_what_gets_recorded()
    {
        using TempFolder folder = new();
        await using var real = await LockstepTestServer.StartAsync(
            new TestServerOptions { Port = 0, Feed = FeedKind.Finite },
            cancellationToken: Cancelled
        );
        await using var redirecting = await StartAsync(false, One, Two);
        redirecting.Faults.Add(new RedirectFault { To = new Uri(real.FeedUri, "0").AbsoluteUri });
        var recording = await FeedRecorder.RecordAsync(Of(redirecting), Cursor.Start, folder["r"], cancellationToken: Cancelled);
        Assert.Equal((200, 147, RecordingEnd.Completed), (recording.Status, recording.Bytes, recording.End));
    }

    [Fact]
    public async Task A_cut_is_recorded_as_a_cut()
    {
        using TempFolder folder = new();
        await using var real = await StartAsync(false, One, Two);
        real.Faults.Add(new CutFault { AtRecord = 1 });
        var recording = await FeedRecorder.RecordAsync(Of(real), Cursor.Start, folder["r"], cancellationToken: Cancelled);
        Assert.Equal((One.Length + 1, RecordingEnd.Cut), (recording.Bytes, recording.End));
        Assert.Equal(RecordingEnd.Cut, RecordingFormat.Read(folder["r"]).Last().End);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"lockstepRecording":99}""")]
    [InlineData("no json")]
    public async Task What_is_no_recording_is_refused(string text)
    {
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder["r"], text, Cancelled);
        Assert.Throws<InvalidRecordingException>(() => RecordingFormat.Read(folder["r"]).First());
    }

    private static FeedOptions Of(LockstepTestServer server) => new() { Uri = server.FeedUri };

    private static Task<LockstepTestServer> StartAsync(bool endless, params string[] records)
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = records,
        };
        options.Scripted.Endless = endless;
        return LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
    }
}
