using System.Globalization;
using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Sync;

/// <summary>A body's warnings: each kind once per sync, or once per body. One thread at a time.</summary>
internal sealed class BodyWarnings(SyncContext context, BodySource source)
{
    private bool _hasToldOfKey;

    /// <summary>Reports what parsing has found since the last call.</summary>
    /// <param name="stop">Why parsing stopped: a malformed record that ends the sync is an error, and needs no warning.</param>
    public async Task TellAsync(ParseStop stop)
    {
        if (context.Parser.KeyWasGuessed && !_hasToldOfKey)
            await WarnOfKeyAsync().ConfigureAwait(false);
        if (context.Parser.OddDeletion is { } odd && !context.HasToldOfDeletion)
            await WarnOfDeletionAsync(odd).ConfigureAwait(false);
        if (stop != ParseStop.Malformed && context.FirstMalformed is { } first && !context.HasToldOfMalformed)
            await WarnOfMalformedAsync(first).ConfigureAwait(false);
        while (context.LeftOut.TryDequeue(out var row))
            await WarnOfLeftOutAsync(row).ConfigureAwait(false);
    }

    private async Task WarnOfKeyAsync()
    {
        _hasToldOfKey = true;
        var field = context.Parser.Shape!.KeyFields[0];
        await context
            .PostEventAsync(
                FeedEventKind.Warning,
                $"The records have no field 'id', so their first field '{field}' is used as the key. If it is not unique, "
                    + $"records overwrite each other.",
                $"Name the key with {Term.Key}."
            )
            .ConfigureAwait(false);
    }

    private Task WarnOfLeftOutAsync(string row) =>
        context.PostEventAsync(
            FeedEventKind.Warning,
            $"{source.Feed.Subject} leaves out the record {row} The table lacks it.",
            "Tell the feed's operator; the server's largest record is its --maximum-record-size."
        );

    private async Task WarnOfDeletionAsync(string odd)
    {
        context.HasToldOfDeletion = true;
        await context
            .PostEventAsync(
                FeedEventKind.Warning,
                $"{source.Feed.Subject} has unusual deletion marks: {odd}. Further values like it are treated the same, without a warning.",
                null
            )
            .ConfigureAwait(false);
    }

    private async Task WarnOfMalformedAsync(FirstMalformed first)
    {
        context.HasToldOfMalformed = true;
        await context
            .PostEventAsync(
                FeedEventKind.Warning,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{source.Feed.Subject} holds a malformed record at byte {first.ByteOffset}, which is set aside, as "
                        + $"others will be: {first.Reason}."
                ),
                $"{Term.ReadQuarantined.For(context.Target.State.Name)} shows what is set aside."
            )
            .ConfigureAwait(false);
    }
}
