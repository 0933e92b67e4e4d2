using System.Text;
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

    [Theory]
    [InlineData("""{"lockstepRecording":2,"feed":"//evil.example/","request":"/a","status":200}""")]
    [InlineData("""{"lockstepRecording":2,"feed":"/\\evil.example/","request":"/a","status":200}""")]
    [InlineData("""{"lockstepRecording":2,"feed":"http://evil.example/","request":"/a","status":200}""")]
    [InlineData("""{"lockstepRecording":2,"feed":"/a\u001b[2J","request":"/a","status":200}""")]
    [InlineData("""{"lockstepRecording":2,"request":"//evil.example/","status":200}""")]
    [InlineData("""{"lockstepRecording":2,"request":"a","status":200}""")]
    [InlineData("""{"lockstepRecording":1,"status":101}""")]
    [InlineData("""{"lockstepRecording":1,"status":-5}""")]
    [InlineData("""{"lockstepRecording":1,"status":99999}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"A":"b\r\nSet-Cookie: c"}}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"A\r\nB":"c"}}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"":"c"}}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"A":null}}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"A":"\u20ac"}}""")]
    [InlineData("""{"lockstepRecording":1,"status":200,"headers":{"transfer-encoding":"chunked"}}""")]
    [InlineData("""{"lockstepRecording":1,"end":77}""")]
    public async Task A_recording_that_leads_elsewhere_or_is_no_answer_of_HTTP_is_refused(string line)
    {
        using TempFolder folder = new();
        await File.WriteAllTextAsync(folder["r"], line + "\n", Cancelled);
        Assert.Throws<InvalidRecordingException>(() => RecordingFormat.Read(folder["r"]).ToList());
    }

    [Fact]
    public void A_line_without_an_end_is_given_up()
    {
        using TempFolder folder = new();
        using (var file = File.Create(folder["r"]))
            file.SetLength(3L * 1024 * 1024 * 1024);
        var before = GC.GetTotalAllocatedBytes();

        Assert.Throws<InvalidRecordingException>(() => RecordingFormat.Read(folder["r"]).First());

        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 256L * 1024 * 1024);
    }

    [Fact]
    public void Tokens_are_found_wherever_they_are_however_many_there_are()
    {
        var tokens = Enumerable.Range(0, 9_000).Select(i => $"secret-{i:D5}").ToArray();
        var links = string.Concat(tokens.Select(token => $"<a href='/x?token={token}'>"));
        var scrubber = new RecordingScrubber(new Uri("http://feed.example/x"), [Answer(links)]);

        Assert.Equal("hidden-1 and hidden-9000x, not secret-9", scrubber.Clean("secret-00000 and secret-08999x, not secret-9"));
        Assert.DoesNotContain("secret-", scrubber.Clean(links), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_tokens_that_begin_alike_the_longest_is_taken()
    {
        var scrubber = new RecordingScrubber(
            new Uri("http://feed.example/x"),
            [Answer("?token=abcdefgh &token=abcdefghij &token=abcdefghix &token=abcdefghijklmnop ")]
        );

        Assert.Equal(
            "hidden-1k hidden-2kl hidden-3 hidden-4 abcdefg",
            scrubber.Clean("abcdefghk abcdefghijkl abcdefghix abcdefghijklmnop abcdefg")
        );
    }

    [Fact]
    public void A_token_that_no_request_has_had_yet_is_hidden_and_a_field_of_a_record_is_not()
    {
        var scrubber = new RecordingScrubber(
            new Uri("http://feed.example/x"),
            [Answer("""{"nextSyncToken" : "CPjk9-sync","newStartPageToken":"page-9999"}""")]
        );

        Assert.Equal("""hidden-1 hidden-2 {"token":"abcdefghij"}""", scrubber.Clean("""CPjk9-sync page-9999 {"token":"abcdefghij"}"""));
    }

    [Fact]
    public void An_answer_with_tokens_without_an_end_is_refused_and_not_searched_for_hours()
    {
        var links = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"?token=secret-{i:D6} "));

        Assert.Throws<IOException>(() => new RecordingScrubber(new Uri("http://feed.example/x"), [Answer(links)]));
    }

    [Fact]
    public void A_stretch_is_cut_neither_within_a_character_nor_within_the_servers_name()
    {
        for (var shift = -40; shift <= 4; shift++)
        {
            var text = new string('a', RecordingFormat.Stretch + shift) + RecordingScrubber.Origin + "é/" + new string('ü', 50_000);
            var pieces = RecordingScrubber
                .Stretches(Encoding.UTF8.GetBytes(text))
                .Select(piece => Encoding.UTF8.GetString(piece.Span))
                .ToArray();

            Assert.Equal(text, string.Concat(pieces));
            Assert.Single(pieces, piece => piece.Contains(RecordingScrubber.Origin, StringComparison.Ordinal));
            Assert.All(pieces, piece => Assert.InRange(piece.Length, 1, RecordingFormat.Stretch + 64));
        }
    }

    private static RecordedExchange Answer(string body)
    {
        var answer = new RecordedExchange
        {
            Request = "/x",
            Status = 200,
            Headers = [],
            Began = 0,
        };
        answer.Add(0, Encoding.UTF8.GetBytes(body));
        return answer;
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
