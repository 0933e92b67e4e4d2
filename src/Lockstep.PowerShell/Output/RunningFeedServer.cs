using Lockstep.Engine.Serving;
using Lockstep.Serving;

namespace Lockstep;

/// <summary>Hides the engine's server from public types. Thread-safe.</summary>
internal sealed class RunningFeedServer(FeedServer server, string source, IReadOnlyDictionary<string, string> notices)
{
    private int _stopped;

    public Uri Uri { get; } = server.Uri;

    public DateTime StartTime { get; } = DateTime.Now;

    public bool IsRunning => Volatile.Read(ref _stopped) == 0;

    public ServerFeed[] Feeds => [.. server.Sources.Select(Describe)];

    public Task StopAsync() => Interlocked.Exchange(ref _stopped, 1) == 0 ? server.DisposeAsync().AsTask() : Task.CompletedTask;

    private ServerFeed Describe(IFeedSource feed)
    {
        FeedState? state = null;
        var error = IsRunning ? null : "The server was stopped.";
        try
        {
            // It answers with what it last saw.
            if (IsRunning)
                state = feed.GetStateAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
        }
        catch (FeedServingException e)
        {
            error = e.Message;
        }

        return new ServerFeed
        {
            Name = feed.Name,
            Uri = new Uri(Uri, Uri.EscapeDataString(feed.Name)),
            Source = feed switch
            {
                TableFeed table => table.Path,
                _ => $"{source}, {feed.Name}",
            },
            Cursor = state?.Horizon,
            Identity = state?.Identity,
            Lag = feed.Lag,
            Notice =
                notices.GetValueOrDefault(feed.Name)
                ?? (feed.LeftOut.Last is { } row ? $"Left out, because clients would refuse it: {row}" : null),
            Error = error,
        };
    }
}
