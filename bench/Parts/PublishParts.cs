using BenchmarkDotNet.Attributes;
using Lockstep.Bench.EndToEnd;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Bench.Parts;

/// <summary>What it costs the test server to accept records while nobody is connected: parsing, ordering, storing.</summary>
[MemoryDiagnoser]
public class PublishParts : IDisposable
{
    private const int Most = 10_000;

    private string[] _records = [];
    private LockstepTestServer _server = null!;

    [GlobalSetup]
    public void SetUp()
    {
        using var output = new MemoryStream();
        BenchFeed.Write("F1", output, Most);
        _records = System.Text.Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [IterationSetup]
    public void Start() =>
        _server = LockstepTestServer.StartAsync(new TestServerOptions { Port = 0, Feed = FeedKind.Scripted }).GetAwaiter().GetResult();

    [IterationCleanup]
    public void Stop() => _server.DisposeAsync().AsTask().GetAwaiter().GetResult();

    [Benchmark(Description = "publish 10,000 records")]
    public void Publish() => _server.AddRecords(_records);

    /// <inheritdoc/>
    public void Dispose() => GC.SuppressFinalize(this);
}
