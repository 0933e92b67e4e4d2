using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A server, what it holds, and the table that follows it.</summary>
internal sealed class FeedWorld : IAsyncDisposable
{
    private const int MostKeys = 12;

    private readonly SortedDictionary<string, (int V, int W)> _truth = new(StringComparer.Ordinal);
    private readonly Random _random;
    private readonly string _path;
    private readonly DialectDescription _dialect;
    private string? _authority;
    private int _count;

    /// <summary>Every dialect that the test server speaks, and the ways in which a list of JSON goes on.</summary>
    public static IEnumerable<string> Names { get; } =
    [
        .. Enum.GetNames<FeedKind>().Where(name => BuiltInDialects.Find(name) is not null),
        "Rest by page",
        "Rest by offset",
        "Rest by token",
        "Rest by link",
        "Rest by time",
    ];

    private FeedWorld(LockstepTestServer server, DialectDescription dialect, Random random, string path) =>
        (Server, _dialect, _random, _path) = (server, dialect, random, path);

    public LockstepTestServer Server { get; }

    public DialectDescription Dialect => _dialect;

    public DateTimeOffset? LastSync => Look(() => new Table(_path).GetInfo().LastSync);

    /// <summary>What was updated since a time does not include what is gone.</summary>
    private bool TellsRemovals => !_dialect.Json.Contains("max:", StringComparison.Ordinal);

    private bool Merges => Server.Feed is FeedKind.ODataDelta or FeedKind.Shape;

    public static async Task<FeedWorld> StartAsync(string name, int seed, string path, X509Certificate2? certificate = null)
    {
        var random = new Random(seed);
        var json = name switch
        {
            "DurableStream" => """{"From":"DurableStream","Deleted":"deleted"}""",
            "Rest by page" => """{"From":"Rest","Items":"data","Next":{"page":"page:"}}""",
            "Rest by offset" => """{"From":"Rest","Items":"/list/rows","Next":{"skip":"offset:"}}""",
            "Rest by token" => """{"From":"Rest","Items":"items","Deleted":{"status":"cancelled"},"Next":{"pageToken":"nextPageToken"}"""
                + ""","Cursor":"nextSyncToken","Resync":410,"Changes":{"Query":{"syncToken":"{cursor}"}}}""",
            "Rest by link" => """{"From":"Rest","Items":"values","Deleted":{"/fields/gone":true}"""
                + ""","Next":"nextLink","Cursor":"nextLink","UpToDate":"isLastBatch","Resync":410}""",
            "Rest by time" => """{"From":"Rest","Cursor":"max:updated_at","Changes":{"Query":{"since":"{cursor}"}}}""",
            _ => $$"""{"From":"{{name}}"}""",
        };
        var dialect = DialectDescription.Parse(json, "test");
        var options = new TestServerOptions
        {
            Port = 0,
            Feed = Enum.Parse<FeedKind>(name.Split(' ')[0]),
            Certificate = certificate,
        };
        options.DialectFeed.PageSize = random.Next(1, 8);
        options.DialectFeed.LongestWait = TimeSpan.FromMilliseconds(200);
        options.DialectFeed.HeartbeatInterval = TimeSpan.FromMilliseconds(20);
        if (options.Feed == FeedKind.Rest)
            options.DialectFeed.Description = dialect;
        var server = await LockstepTestServer.StartAsync(options, cancellationToken: TestContext.Current.CancellationToken);
        var world = new FeedWorld(server, dialect, random, path);
        if (certificate is not null)
        {
            world._authority = path + ".pem";
            var pem = certificate.ExportCertificatePem();
            await File.WriteAllTextAsync(world._authority, pem, TestContext.Current.CancellationToken);
        }

        return world;
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    /// <summary>Changes some records.</summary>
    /// <param name="each">Each at most once, so that it does not matter in which order the changes are sent.</param>
    public void Change(bool each = false)
    {
        HashSet<string> changed = [];
        for (var changes = _random.Next(0, 15); changes > 0; changes--)
        {
            var key = $"k{_random.Next(MostKeys)}";
            if (!changed.Add(key) && each)
                continue;
            var there = _truth.TryGetValue(key, out var value);
            if (there && _random.Next(3) == 0 && TellsRemovals)
            {
                _truth.Remove(key);
                Server.RemoveRecord($$"""{"id":"{{key}}"}""");
                continue;
            }

            var next = (V: ++_count, W: _random.Next(100));
            var isPatch = there && Merges;
            _truth[key] = isPatch ? (next.V, value.W) : next;
            Server.AddRecord(isPatch ? $$"""{"id":"{{key}}","v":{{next.V}}}""" : $$"""{"id":"{{key}}","v":{{next.V}},"w":{{next.W}}}""");
        }
    }

    /// <summary>Something that goes wrong once, with one of the next requests.</summary>
    public void Fault()
    {
        Server.Faults.Clear();
        var request = _random.Next(1, 4);
        Fault[] faults =
        [
            new CursorExpiredFault { Times = 1 },
            new CursorExpiredFault { Times = 1, As = ExpiryForm.Gone },
            new CursorExpiredFault { Times = 1, As = ExpiryForm.Location },
            new CursorExpiredFault { Times = 1, As = ExpiryForm.Error },
            new CursorExpiredFault { Times = 1, As = ExpiryForm.InStream },
            new StatusFault
            {
                Code = 429,
                RetryAfter = "0",
                Request = request,
            },
            new StatusFault { Code = 503, Request = request },
            new CutFault { AtByte = _random.Next(600), Request = request },
            new CutFault
            {
                AtByte = _random.Next(600),
                Request = request,
                How = CutKind.Reset,
            },
            new ReplayFault { Changes = _random.Next(1, 10) },
            new DuplicateFault(),
            new RechunkFault { Size = _random.Next(1, 40) },
            new CompressFault { Forced = true },
            new HeartbeatFault(),
            new EpochFault { Identity = $"epoch-{_random.Next(3)}" },
        ];
        // An event stream that has lost its history never becomes complete again, and one that is a log has nothing to start over with.
        var isLog = Server.Feed is FeedKind.EventStream or FeedKind.DurableStream;
        // A client that resumes by counting what arrived cannot do so if records repeat.
        var isCounted = _dialect.Json.Contains("offset:", StringComparison.Ordinal);
        Fault[] possible =
        [
            .. faults.Where(fault =>
                fault switch
                {
                    CursorExpiredFault => !isLog,
                    DuplicateFault => !isCounted,
                    _ => true,
                }
            ),
        ];
        try
        {
            Server.Faults.Add(possible[_random.Next(possible.Length)]);
        }
        catch (ArgumentException)
        {
            // It can do nothing to this feed.
        }
    }

    /// <summary>Syncs, again if a fault leads to an error: what matters is what the next sync makes of it.</summary>
    public async Task<SyncResult> SyncAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await foreach (var step in new TableSync(Options(follow: false)).RunAsync(TestContext.Current.CancellationToken))
                {
                    if (step is SyncEnded ended)
                        return ended.Result;
                }
            }
            catch (FeedException) when (attempt < 4) { }
        }
    }

    /// <summary>One sync that does not wait long for an answer, and what it said went wrong.</summary>
    public async Task<List<string>> TrySyncAsync()
    {
        List<string> told = [];
        try
        {
            var sync = new TableSync(Options(follow: false, patience: TimeSpan.FromMilliseconds(400)));
            await foreach (var step in sync.RunAsync(TestContext.Current.CancellationToken))
            {
                if (step is FeedEventOccurred { Event: var happened } && IsTrouble(happened.Kind))
                    told.Add(happened.ToString());
            }
        }
        catch (LockstepException e)
        {
            told.Add(e.Message);
        }

        return told;
    }

    private static bool IsTrouble(FeedEventKind kind) =>
        kind
            is FeedEventKind.ClientError
                or FeedEventKind.ServerError
                or FeedEventKind.OtherStatus
                or FeedEventKind.SocketError
                or FeedEventKind.Retry
                or FeedEventKind.Resync
                or FeedEventKind.Close
                or FeedEventKind.Warning;

    public async Task FollowAsync(CancellationToken cancellationToken)
    {
        await foreach (var step in new TableSync(Options(follow: true)).RunAsync(cancellationToken))
            _ = step;
    }

    public void AssertEqual(string story) => Assert.True(IsEqual(), $"{story}: {Story()}");

    public bool IsEqual() => Look(Table) == Truth();

    /// <summary>Looks into the table, which may not have existed for long enough to be one.</summary>
    private T? Look<T>(Func<T> look)
    {
        try
        {
            return File.Exists(_path) ? look() : default;
        }
        catch (LockstepException e) when (e is TableFileException or TableNotFoundException)
        {
            return default;
        }
    }

    public string Story() =>
        $"{Server.Faults.FirstOrDefault()?.Description}; table {Look(Table) ?? "none"}; server {Truth()}; "
        + $"asked {string.Join(", ", Server.Requests.TakeLast(12).Select(Describe))}";

    private static string Describe(TestRequest r) => $"{Uri.UnescapeDataString(r.Path)} {r.Status} {r.Ending}";

    private string Truth() => string.Join(' ', _truth.Select(pair => $"{pair.Key}={pair.Value.V},{pair.Value.W}"));

    private string Table()
    {
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach ((var _, var json) in SyncRun.Read(_path))
        {
            using var record = JsonDocument.Parse(json);
            string Field(string name) => record.RootElement.TryGetProperty(name, out var value) ? value.ToString() : "?";
            rows.Add(Field("id"), $"{Field("v")},{Field("w")}");
        }

        return string.Join(' ', rows.Select(pair => $"{pair.Key}={pair.Value}"));
    }

    private SyncOptions Options(bool follow, TimeSpan? patience = null) =>
        new()
        {
            Feed = new FeedOptions
            {
                Uri = Server.FeedUri,
                OperationTimeout = patience ?? TimeSpan.FromSeconds(60),
                CertificateAuthority = _authority,
            },
            Store = new FileTableStore(_path),
            Foreign = _dialect,
            Settle = TimeSpan.FromMilliseconds(150),
            RetryInterval = TimeSpan.FromMilliseconds(5),
            PollInterval = TimeSpan.FromMilliseconds(5),
            Follow = follow,
            // A plain list that lost more than half of itself comes from the test, not from an accident.
            Force = Server.Feed == FeedKind.Rest,
            WantsChanges = true,
        };
}
