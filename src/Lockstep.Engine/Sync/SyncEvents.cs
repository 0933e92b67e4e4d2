using System.Globalization;
using Lockstep.Engine.Feed;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Sync;

/// <summary>Tells the log and the puller of a sync what happens on the way to the feed. Waits while the puller is slow.</summary>
internal sealed class SyncEvents(StepChannel steps, ILogger logger, TimeProvider time)
{
    public async Task PostAsync(FeedEventKind kind, string message, CancellationToken cancellationToken, Remedy? remedy = null)
    {
        var happened = new FeedEvent(kind, time.GetUtcNow(), message) { Remedy = remedy };
        SyncLog.Happened(logger, happened);
        await steps.PostAsync(new FeedEventOccurred(happened), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The feed has answered, with what its head says of it.</summary>
    public async Task PostConnectedAsync(FeedUri feed, FeedResponse body, CancellationToken cancellationToken)
    {
        await PostAsync(FeedEventKind.Connect, $"Connected to {feed.Display}.", cancellationToken).ConfigureAwait(false);
        if (body.InstanceName is { } instance)
            await PostAsync(FeedEventKind.InstanceName, instance, cancellationToken).ConfigureAwait(false);
        if (body.ExpectedRecords is { } count)
            await PostAsync(FeedEventKind.Count, count.ToString(CultureInfo.InvariantCulture), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The feed has answered with a status that is no success.</summary>
    public Task PostStatusAsync(FeedStatusException error, CancellationToken cancellationToken)
    {
        var kind = (int)error.Status switch
        {
            >= 500 => FeedEventKind.ServerError,
            >= 400 => FeedEventKind.ClientError,
            _ => FeedEventKind.OtherStatus,
        };
        return PostAsync(kind, error.Message, cancellationToken);
    }

    /// <summary>A connection failed.</summary>
    public Task PostFailureAsync(FeedException error, CancellationToken cancellationToken) =>
        error switch
        {
            FeedStatusException status => PostStatusAsync(status, cancellationToken),
            FeedUnreachableException => PostAsync(FeedEventKind.SocketError, error.Message, cancellationToken),
            _ => PostAsync(FeedEventKind.Close, error.Message, cancellationToken),
        };

    public Task PostRetryAsync(TimeSpan wait, CancellationToken cancellationToken) =>
        PostAsync(
            FeedEventKind.Retry,
            string.Create(CultureInfo.InvariantCulture, $"The next attempt is in {wait.TotalSeconds:0.0} s."),
            cancellationToken
        );
}
