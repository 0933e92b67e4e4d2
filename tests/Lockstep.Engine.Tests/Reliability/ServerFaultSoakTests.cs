using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>
/// The test server's own faults, over each of its kinds of feed: the table ends with the feed's truth, no change is reported twice, and
/// nothing hangs. A failure names its seed. (The fault Tls has <c>TlsTests</c>: a refused certificate has nothing to do with the feed.)
/// </summary>
public sealed class ServerFaultSoakTests : SyncTest
{
    private const int Token = 4711;

    /// <summary>Each fault starts with one of the first requests.</summary>
    private const int LastFaultyRequest = 3;

    /// <summary>
    /// A sync reports progress four times a second, so this many times without any progress are five seconds of its own time.
    /// </summary>
    private const int PulsesOfAHang = 20;

    private static readonly Truth Feed = new(300, 90);

    /// <summary>Replay is for feeds of other dialects: the test server refuses it here.</summary>
    private static readonly string[] Kinds = [.. FaultKinds.All.Select(kind => kind.Name).Where(name => name is not ("Tls" or "Replay"))];

    public static TheoryData<string> AllKinds => [.. Kinds];

    [Theory]
    [MemberData(nameof(AllKinds))]
    public async Task Each_fault_alone(string kind)
    {
        for (var seed = 0; seed < 4; seed++)
            await RunAsync(seed, [kind]);
    }

    [Fact]
    [Trait("Invariant", "I2")]
    [Trait("Invariant", "I4")]
    [Trait("Invariant", "I6")]
    public async Task Random_combinations()
    {
        var first = LongForm.Seed(5000);
        for (var seed = first; seed < first + LongForm.Of(15, 500); seed++)
        {
            var random = new Random(seed);
            string[] kinds = [.. Kinds];
            random.Shuffle(kinds);
            await RunAsync(seed, kinds[..random.Next(2, 6)]);
        }
    }

    /// <summary>On a busy machine one run may wait for its disk; a real hang recurs each time.</summary>
    private async Task RunAsync(int seed, string[] kinds)
    {
        const int Attempts = 3;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await RunOnceAsync(seed, kinds, attempt);
                return;
            }
            catch (TimeoutException e)
            {
                Assert.True(attempt < Attempts, e.Message);
            }
        }
    }

    private async Task RunOnceAsync(int seed, string[] kinds, int attempt)
    {
        var random = new Random(seed);
        var options = new TestServerOptions
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = Enumerable.Range(1, Feed.Count).Select(order => Encoding.UTF8.GetString(Feed[order]).TrimEnd()),
        };
        options.Scripted.Identity = "first";
        options.Scripted.Endless = seed % 2 == 1;
        options.Scripted.HeartbeatInterval = options.Scripted.Endless ? TimeSpan.FromMilliseconds(50) : null;
        options.Scripted.RedirectToSnapshot = seed % 4 > 1;
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancellation);
        foreach (var kind in kinds)
            server.Faults.Add(Make(kind, random));
        string path = Folder($"server{seed}-{string.Join('-', kinds)}-{attempt}.db"),
            story = $"seed {seed}, {string.Join("; ", server.Faults.Select(fault => fault.Description))}";
        // A feed that claims to be another one, and falsely to be empty, has its deletions forgotten: later they arrive as new ones.
        var forgets = kinds.Contains("Epoch") && kinds.Any(kind => kind is "Truncate" or "ContentLength");
        var reported = new Reported(story, forgets);
        try
        {
            // Late records are what a look-back window is for, if a cut may come before the disorder shows.
            decimal lookback = kinds.Any(kind => kind is "Reorder" or "LateRecord") ? 60 : 0;
            var wasFaulted = true;
            for (var run = 0; wasFaulted || run < LastFaultyRequest; run++)
            {
                Assert.True(run < 20, $"{story}: there is no end of faults");
                var before = server.Requests.Count;
                await SyncAsync(server, path, reported, lookback, repair: false);
                wasFaulted = server.Requests.Skip(before).Any(request => request.Faults.Count > 0);
            }

            Assert.All(server.Faults, fault => Assert.True(fault.Hits > 0, $"{fault.Description} has hit nothing"));
            // Only a comparison can find what the feed misreported, and only a repair can correct it.
            if (kinds.Any(kind => kind is "EqualOrder" or "Truncate" or "ContentLength"))
                await SyncAsync(server, path, reported, lookback: 0, repair: true);
            Feed.AssertPrefix(path, Feed.Count);
        }
        catch (Exception e) when (!Cancellation.IsCancellationRequested)
        {
            var told = $"{story}; asked: {string.Join(", ", server.Requests.Select(r => $"{r.Path} {r.Status} {r.Ending}"))}: {e}";
            if (e is TimeoutException)
                throw new TimeoutException(told);
            Assert.Fail(told);
        }
    }

    /// <summary>One sync to its end; a fault may lead to an error, and what matters is what the next sync makes of it.</summary>
    private static async Task SyncAsync(LockstepTestServer server, string path, Reported reported, decimal lookback, bool repair)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = server.FeedUri,
                    OperationTimeout = TimeSpan.FromSeconds(0.4),
                    ConnectionTimeout = TimeSpan.FromSeconds(2),
                },
                Store = new FileTableStore(path),
                MaximumRetryCount = 30,
                RetryInterval = TimeSpan.FromMilliseconds(2),
                Settle = TimeSpan.FromSeconds(30),
                MalformedRecord = MalformedRecordPolicy.Quarantine,
                Lookback = lookback,
                Repair = repair,
                WantsChanges = true,
            }
        );
        (long, int, SyncState) last = default;
        var pulses = 0;
        try
        {
            await foreach (var step in sync.RunAsync(Cancellation))
            {
                switch (step)
                {
                    case ChangesCommitted committed:
                        reported.Note(committed.Changes);
                        break;
                    case CredentialsNeeded question:
                        question.NewToken = $"{Token}";
                        break;
                    case SyncProgress { Result: var now }:
                        pulses = last == (now.Bytes, now.Connections, now.State) ? pulses + 1 : 0;
                        last = (now.Bytes, now.Connections, now.State);
                        if (pulses >= PulsesOfAHang)
                            throw new TimeoutException("It hangs.");
                        break;
                }
            }
        }
        catch (LockstepException)
        {
            // Such as too many resyncs in a row.
        }
    }

    private static Fault Make(string kind, Random random)
    {
        int request = random.Next(1, LastFaultyRequest + 1),
            times = random.Next(1, 3),
            atByte = random.Next(20_000),
            atRecord = random.Next(1, 250);
        var parameters = new Dictionary<string, object?> { ["Request"] = request, ["Times"] = times };
        switch (kind)
        {
            case "Cut":
                (parameters["AtByte"], parameters["How"]) = (atByte, random.Next(2) == 0 ? CutKind.Fin : CutKind.Reset);
                break;
            case "Stall" or "Truncate":
                parameters["AtByte"] = atByte;
                break;
            case "Drip":
                (parameters["Bytes"], parameters["Interval"]) = (random.Next(300, 2000), TimeSpan.FromMilliseconds(1));
                break;
            case "SlowHeaders":
                (parameters["Bytes"], parameters["Interval"]) = (random.Next(5, 50), TimeSpan.FromMilliseconds(1));
                break;
            case "Rechunk":
                parameters["Size"] = random.Next(1, 500);
                break;
            case "Garbage":
                (parameters["Text"], parameters["AtRecord"]) = ("\noops\n", atRecord);
                break;
            case "Duplicate":
                parameters["Copies"] = random.Next(1, 4);
                break;
            case "Reorder":
                (parameters["Window"], parameters["Seed"]) = (random.Next(2, 30), random.Next());
                break;
            case "LateRecord":
                (parameters["AtRecord"], parameters["By"]) = (atRecord, random.Next(1, 30));
                break;
            case "EqualOrder":
                parameters["Group"] = random.Next(2, 6);
                break;
            case "Heartbeat":
                (parameters["Shape"], parameters["Every"]) = (
                    random.GetItems(Enum.GetValues<HeartbeatShape>().Where(shape => shape != HeartbeatShape.ControlRow).ToArray(), 1)[0],
                    random.Next(1, 200)
                );
                break;
            case "Status":
                (parameters["Code"], parameters["RetryAfter"]) = (random.GetItems([500, 502, 503, 429, 408], 1)[0], "0");
                break;
            case "Redirect":
                (parameters["Code"], parameters["To"]) = (random.GetItems([301, 302, 303, 308], 1)[0], "/servers/0");
                break;
            case "Unauthorized":
                parameters["Token"] = $"{Token}";
                break;
            case "ContentLength":
                parameters["Delta"] = random.Next(-5000, 5000);
                break;
            case "ChunkHeader":
                parameters["Chunk"] = random.Next(1, 4);
                break;
            case "Compress":
                (parameters["Coding"], parameters["Forced"]) = (random.GetItems(Enum.GetValues<ContentCoding>(), 1)[0], true);
                break;
        }

        return FaultKinds.Create(kind, parameters);
    }

    /// <summary>The last report on each key, so that nothing is reported twice.</summary>
    private sealed class Reported(string story, bool forgetsDeletions)
    {
        private readonly Dictionary<string, string> _last = [];
        private long _sequence;

        public void Note(IReadOnlyList<TableChange> changes)
        {
            foreach (var change in changes)
            {
                Assert.True(change.Sequence > _sequence, $"{story}: changes out of sequence");
                _sequence = change.Sequence;
                string key = change.Key.ToString(),
                    now = change.Kind + Encoding.UTF8.GetString(change.Record.Span);
                if (!forgetsDeletions || change.Kind != ChangeKind.Deleted)
                    Assert.False(_last.GetValueOrDefault(key) == now, $"{story}: {now} was reported twice");
                _last[key] = now;
            }
        }
    }
}
