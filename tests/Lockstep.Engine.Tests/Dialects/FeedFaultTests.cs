using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Engine.Tests.Reliability;
using Lockstep.Engine.Tests.Sync;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>
/// Each fault of the test server over each feed of another server: what it does to one answer is told or does no harm, and after a good
/// answer the table is what the server holds. A fault that can do nothing to a feed is refused. A failure names its seed.
/// </summary>
public sealed class FeedFaultTests : SyncTest
{
    private const int LastFaultyRequest = 3;

    public static TheoryData<string, string> All =>
        [
            .. FeedWorld
                .Names.SelectMany(_ => FaultKinds.All, (feed, kind) => (feed, kind.Name))
                .Where(pair => pair.Name == "Tls" || !Misfits(pair.feed).Contains(pair.Name)),
        ];

    /// <summary>The faults that can do nothing to a feed.</summary>
    private static string[] Misfits(string feed) =>
        feed switch
        {
            "CouchDb" or "Shape" => ["EqualOrder", "Tls"],
            "Rest" or "Rest by page" or "Rest by offset" => ["CursorExpired", "Epoch", "EqualOrder", "Replay", "Tls"],
            "Rest by time" => ["Epoch", "Replay", "Tls"],
            _ => ["Epoch", "EqualOrder", "Tls"],
        };

    [Theory]
    [MemberData(nameof(RoundTripTests.Feeds), MemberType = typeof(RoundTripTests))]
    public async Task What_can_do_nothing_to_a_feed_is_refused(string feed)
    {
        await using var world = await FeedWorld.StartAsync(feed, 1, Folder("t.db"));
        var random = new Random(1);
        List<string> refused = [];
        foreach (var kind in FaultKinds.All)
        {
            try
            {
                world.Server.Faults.Add(Make(kind.Name, random));
            }
            catch (ArgumentException e)
            {
                refused.Add(kind.Name);
                Assert.StartsWith(
                    $"{kind.Name} can do nothing to the {world.Server.Feed} feed of this server: ",
                    e.Message,
                    StringComparison.Ordinal
                );
            }
        }

        Assert.Equal(Misfits(feed), refused);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task After_a_fault_and_a_good_answer_the_table_is_what_the_server_holds(string feed, string kind)
    {
        // A log whose order is that of arrival cannot show that two changes of one record changed places.
        var reorders = kind is "Reorder" or "LateRecord";
        // An event stream that ends properly, though early, says nothing wrong, and neither does a list that counts a record twice.
        var isMute = (feed, kind) is ("EventStream", "Truncate" or "ContentLength") or ("Rest by offset", "Duplicate");
        var first = LongForm.Seed(1);
        for (var seed = first; seed < first + LongForm.Of(1, 60); seed++)
        {
            var random = new Random(seed);
            using var certificate = kind == "Tls" ? Certificate() : null;
            await using var world = await FeedWorld.StartAsync(feed, seed, Folder($"{feed} {kind} {seed}.db"), certificate);
            world.Change(reorders);
            if (reorders || random.Next(2) == 0)
            {
                await world.TrySyncAsync();
                world.Change(reorders);
            }

            var fault = world.Server.Faults.Add(Make(kind, random));
            var story = $"{feed}, seed {seed}, {fault.Description}";
            for (var run = 0; fault.Hits == 0; run++)
            {
                Assert.True(run < LastFaultyRequest, $"{story}: it has hit nothing. {world.Story()}");
                var told = await world.TrySyncAsync();
                Assert.True(told.Count > 0 || isMute || world.IsEqual(), $"{story}: nothing was told. {world.Story()}");
                world.Change(reorders);
            }

            world.Server.Faults.Clear();
            var after = await world.TrySyncAsync();
            world.AssertEqual($"{story}, after it, {string.Join("; ", after)}");
        }
    }

    private static Fault Make(string kind, Random random)
    {
        var known = FaultKinds.All.Single(fault => fault.Name == kind).Parameters.Select(parameter => parameter.Name).ToHashSet();
        var parameters = new Dictionary<string, object?> { ["Request"] = random.Next(1, LastFaultyRequest + 1), ["Times"] = 1 };
        if (known.Contains(nameof(PositionedFault.AtByte)) && random.Next(2) == 0)
            parameters[nameof(PositionedFault.AtByte)] = random.Next(400);
        else if (known.Contains(nameof(PositionedFault.AtRecord)))
            parameters[nameof(PositionedFault.AtRecord)] = random.Next(1, 4);
        if (known.Contains(nameof(CompressFault.Forced)))
            parameters[nameof(CompressFault.Forced)] = true;
        // The slowest head would take seconds.
        if (kind == "SlowHeaders")
            parameters[nameof(SlowHeadersFault.Bytes)] = 20;
        return FaultKinds.Create(kind, parameters);
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
