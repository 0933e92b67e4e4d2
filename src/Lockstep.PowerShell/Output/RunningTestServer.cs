using Lockstep.TestServer;

namespace Lockstep;

/// <summary>Hides the engine's server from public types. Thread-safe.</summary>
internal sealed class RunningTestServer(LockstepTestServer server)
{
    /// <summary>The engine's own; only internal adapters may hold it.</summary>
    public LockstepTestServer Server => server;

    public Uri Uri { get; } = server.Uri;

    public Uri FeedUri { get; } = server.FeedUri;

    public Uri? RedirectUri { get; } = server.RedirectUri;

    public TestServerFeed Feed { get; } = Enum.Parse<TestServerFeed>(server.Feed.ToString());

    public DialectInfo? Dialect { get; } = server.Dialect?.ToModel();

    /// <summary>Whether a test can add records.</summary>
    public bool TakesRecords => TestServerOptions.TakesRecords(server.Feed);

    public DateTime StartTime { get; } = server.StartTime.LocalDateTime;

    public int RecordCount => server.RecordCount;

    public int ClientCount => server.ClientCount;

    public int RequestCount => server.Requests.Count;

    public bool IsRunning => server.IsRunning;

    public void Add(ReadOnlyMemory<byte> record) => server.AddRecord(record);

    public void Remove(ReadOnlyMemory<byte> record) => server.RemoveRecord(record);

    public Task StopAsync() => server.StopAsync();
}
