using System.Globalization;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Sync;

/// <summary>Reports a sync's connection events to its log and its caller. Waits while the caller is slow.</summary>
internal sealed class SyncEvents(StepChannel steps, ILogger logger, TimeProvider time)
{
    public Task PostAsync(FeedEventKind kind, string message, CancellationToken cancellationToken, Remedy? remedy = null) =>
        PostAsync(new FeedEvent(kind, time.GetUtcNow(), message) { Remedy = remedy }, cancellationToken);

    /// <summary>A whole set was not trusted, and the sync continues.</summary>
    /// <param name="error">The refusal.</param>
    /// <param name="next">How long until it is fetched again; null if that is when the error says.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task PostRefusedAsync(SweepRefusedException error, TimeSpan? next, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var message = next is { } wait
            ? string.Create(CultureInfo.InvariantCulture, $"{error.Refusal} It is fetched again at {now + wait:u}.")
            : error.Message;
        return PostAsync(
            new FeedEvent(FeedEventKind.Warning, now, message) { Remedy = error.Remedy, IsSweepRefused = true },
            cancellationToken
        );
    }

    private async Task PostAsync(FeedEvent happened, CancellationToken cancellationToken)
    {
        SyncLog.Happened(logger, happened);
        await steps.PostAsync(new FeedEventOccurred(happened), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The feed has answered; reports what its headers say.</summary>
    public async Task PostConnectedAsync(FeedUri feed, FeedResponse body, CancellationToken cancellationToken)
    {
        await PostAsync(FeedEventKind.Connect, $"Connected to {feed.Display}.", cancellationToken).ConfigureAwait(false);
        if (body.InstanceName is { } instance)
            await PostAsync(FeedEventKind.InstanceName, ForeignText.Shorten(instance), cancellationToken).ConfigureAwait(false);
        if (body.ExpectedRecords is { } count)
            await PostAsync(FeedEventKind.Count, count.ToString(CultureInfo.InvariantCulture), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The feed has answered with a status that is not a success.</summary>
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
            FeedRedirectException => PostAsync(FeedEventKind.OtherStatus, error.Message, cancellationToken),
            FeedUnreachableException => PostAsync(FeedEventKind.SocketError, error.Message, cancellationToken),
            _ => PostAsync(FeedEventKind.Close, error.Message, cancellationToken),
        };

    /// <summary>A feed that may have had more fell silent: what it sent is kept, but it is unknown whether that was everything.</summary>
    /// <param name="before">Where the sync started.</param>
    /// <param name="after">Where the next one continues.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task PostSilenceAsync(Cursor before, Cursor after, CancellationToken cancellationToken)
    {
        var progress = Cursor.Compare(before, after) == 0 ? $" The sync got no further than the cursor {after.Display}." : "";
        return PostAsync(
            FeedEventKind.Warning,
            $"The feed sent nothing more without saying that this was all; it may have more.{progress}",
            cancellationToken,
            $"Sync again to see whether more comes; {Term.Follow} keeps following the feed."
        );
    }

    /// <summary>The sync ends, and nothing said that what arrived was everything.</summary>
    public Task PostIncompleteAsync(CancellationToken cancellationToken) =>
        PostAsync(
            FeedEventKind.Warning,
            "The feed did not say that this was all; it may have more.",
            cancellationToken,
            $"Sync again to see whether more comes; {Term.Follow} keeps following the feed."
        );

    /// <summary>A server accepted the request and did not answer it, as an endless feed may do while it has nothing to send.</summary>
    public Task PostNoAnswerAsync(Cursor cursor, CancellationToken cancellationToken) =>
        PostAsync(
            FeedEventKind.Warning,
            $"The feed did not answer: it has nothing above the cursor {cursor.Display}, or it hangs; Lockstep cannot tell which.",
            cancellationToken,
            $"{Term.Follow} keeps following the feed until it answers."
        );

    /// <summary>Malformed records were quarantined.</summary>
    /// <param name="malformed">How many arrived in this sync.</param>
    /// <param name="table">The table as it is now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task PostQuarantineAsync(long malformed, TableState table, CancellationToken cancellationToken)
    {
        var dropped = table.QuarantineDropped;
        var full = dropped > 0 ? string.Create(CultureInfo.InvariantCulture, $" It is full: the oldest {dropped} were dropped.") : "";
        return PostAsync(
            FeedEventKind.Warning,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{malformed} malformed {(malformed == 1 ? "record" : "records")} came in this sync; the quarantine holds "
                    + $"{table.Quarantined}.{full}"
            ),
            cancellationToken,
            $"Look at them with {Term.ReadQuarantined.For(table.Name)}, and empty the quarantine with {Term.ClearQuarantined}; its size is "
                + $"{Term.QuarantineLimit}."
        );
    }

    /// <summary>The feed will be asked again after a wait: as is normal, or because the last attempt failed.</summary>
    public Task PostWaitAsync(TimeSpan wait, string? note, bool isWell, CancellationToken cancellationToken) =>
        PostAsync(
            isWell ? FeedEventKind.Poll : FeedEventKind.Retry,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{(isWell ? "The feed is asked again" : "The next attempt is")} in {wait.TotalSeconds:0.0} "
                    + $"s.{(note is null ? "" : " " + note)}"
            ),
            cancellationToken
        );
}
