using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Cli.Output;

/// <summary>
/// Prints what a sync reports: changes and the result to standard output, events to standard error unless they are already logged there.
/// </summary>
internal sealed class SyncReporter(bool json, bool changes, bool quiet, bool follows = false, bool isLogged = false)
{
    private readonly Stream _output = Console.OpenStandardOutput();
    private bool _hasToldFirst;
    private FeedEvent? _failure;

    /// <param name="step">The sync's step.</param>
    /// <param name="soFar">What a following sync has done so far.</param>
    public void Report(SyncStep step, Func<SyncResult>? soFar = null)
    {
        if (step is FeedEventOccurred { Event.Kind: FeedEventKind.Poll } && soFar is not null)
            TellFirst(soFar());
        switch (step)
        {
            case ChangesCommitted committed when changes:
                foreach (var change in committed.Changes)
                    Write(change);
                _output.Flush();
                break;
            case FeedEventOccurred { Event: var happened } when !quiet && !isLogged:
                if (IsWorthTelling(happened.Kind))
                    Tell(happened);
                else if (IsFailure(happened.Kind))
                    _failure = happened;
                break;
            case SyncEnded { Result: var result } when !quiet:
                if (json)
                {
                    JsonLines.Write(_output, writer => Write(writer, result, result.Outcome));
                }
                else if (!changes)
                {
                    Console.WriteLine(Describe(result, Reason(result)));
                }

                break;
        }
    }

    /// <summary>Prints as JSON how far a sync got that ends with an error; the error itself is printed where it ends the program.</summary>
    public void ReportFailure(SyncResult result, Exception error)
    {
        if (!json)
            return;
        JsonLines.Write(
            _output,
            writer =>
            {
                Write(writer, result, result.State.IsFinal ? result.Outcome : SyncOutcome.Failed);
                JsonFailure.Write(writer, error);
            }
        );
        JsonFailure.Told(error);
    }

    /// <summary>Warns if the file alone is not the whole table; called after the sync has closed it.</summary>
    public void ReportLog(TableStore store)
    {
        if (!quiet && store is FileTableStore { HasLog: true } file)
        {
            var name = Path.GetFileName(file.Path);
            Console.Error.WriteLine(
                $"lockstep: a part of the table is in {name}-wal, because another program reads it or it could not be merged: "
                    + $"keep it beside {name}."
            );
        }
    }

    /// <summary>A following sync reports once that everything has arrived, because its own end may be far off.</summary>
    private void TellFirst(SyncResult result)
    {
        if (_hasToldFirst || quiet || json || changes)
            return;
        _hasToldFirst = true;
        Console.WriteLine(Describe(result, "Following."));
    }

    /// <summary>Reports a wait together with the failure behind it, if that has not been reported.</summary>
    private void Tell(FeedEvent happened)
    {
        if (happened.Kind == FeedEventKind.Retry && _failure is { } failure)
        {
            _failure = null;
            Tell(failure);
        }

        Console.Error.WriteLine(
            $"lockstep: {(happened.Kind == FeedEventKind.Load ? "Note" : happened.Kind)}: "
                + $"{PlainText.Of(happened.Render(ShellWords.Say))}"
        );
    }

    /// <summary>
    /// The error that ends a sync reports its last failure, but a following sync has no end to report it: nobody should wait without
    /// knowing why.
    /// </summary>
    private bool IsWorthTelling(FeedEventKind kind) =>
        kind
            is FeedEventKind.Warning
                or FeedEventKind.Resync
                or FeedEventKind.Dialect
                or FeedEventKind.Load
                or FeedEventKind.InstanceName
                or FeedEventKind.Retry
        || (follows && IsFailure(kind));

    private static bool IsFailure(FeedEventKind kind) =>
        kind
            is not (
                FeedEventKind.Heartbeat
                or FeedEventKind.Connect
                or FeedEventKind.Disconnect
                or FeedEventKind.Count
                or FeedEventKind.Poll
            );

    private void Write(TableChange change) =>
        JsonLines.Write(
            _output,
            writer =>
            {
                writer.WriteString("kind", change.Kind.ToString());
                writer.WriteString("key", change.Key.ToString());
                writer.WriteNumber("sequence", change.Sequence);
                writer.WritePropertyName("record");
                writer.WriteRawValue(RecordJson.Of(change.Record.Span), skipInputValidation: true);
            }
        );

    private static void Write(Utf8JsonWriter writer, SyncResult result, SyncOutcome outcome)
    {
        writer.WriteString("table", result.Table);
        writer.WriteString("path", result.Location);
        writer.WriteString("feed", result.Feed);
        writer.WriteString("cursor", result.HasCursor ? result.Cursor.ToString() : "");
        writer.WriteNumber("received", result.Received);
        writer.WriteNumber("added", result.Added);
        writer.WriteNumber("updated", result.Updated);
        writer.WriteNumber("deleted", result.Deleted);
        writer.WriteNumber("unchanged", result.Unchanged);
        writer.WriteNumber("outOfOrder", result.OutOfOrder);
        writer.WriteNumber("malformed", result.Malformed);
        writer.WriteBoolean("setOwed", result.IsSetOwed);
        writer.WriteNumber("quarantined", result.Quarantined);
        writer.WriteNumber("heartbeats", result.Heartbeats);
        writer.WriteNumber("bytes", result.Bytes);
        writer.WriteNumber("durationSeconds", Math.Round(result.Duration.TotalSeconds, 3));
        writer.WriteNumber("rate", Math.Round(result.Rate, 1));
        writer.WriteString("endReason", result.EndReason.ToString());
        writer.WriteBoolean("isComplete", result.IsComplete);
        writer.WriteString("outcome", outcome.ToString());
    }

    private static string Describe(SyncResult result, string ending)
    {
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"{result.Table}: {result.Added} added, {result.Updated} updated, {result.Deleted} deleted, {result.Unchanged} unchanged"
        );
        if (result.Malformed > 0)
            text.Append(CultureInfo.InvariantCulture, $", {result.Malformed} malformed");
        if (result.Quarantined > 0)
            text.Append(CultureInfo.InvariantCulture, $", {result.Quarantined} in quarantine");
        text.Append(
            CultureInfo.InvariantCulture,
            $" ({result.Received} {(result.Received == 1 ? "record" : "records")} in {result.Duration.TotalSeconds:0.00} s). "
        );
        text.Append(ending);
        if (result.HasCursor)
            text.Append(CultureInfo.InvariantCulture, $" Cursor {result.Cursor.Display}.");
        if (result.IsSetOwed)
            text.Append(" The feed's whole set could not be applied in full; it is fetched again later.");
        return text.ToString();
    }

    private static string Reason(SyncResult result) =>
        result.EndReason switch
        {
            SyncEndReason.Settled when result.Outcome == SyncOutcome.Incomplete =>
                "Incomplete: the feed fell silent without saying that this was all.",
            _ when result.Outcome == SyncOutcome.Incomplete => "Incomplete: the feed may have more.",
            SyncEndReason.EndOfFeed => "The feed ended.",
            SyncEndReason.CaughtUp => "Caught up.",
            SyncEndReason.Settled when !result.IsComplete => "The feed fell silent.",
            SyncEndReason.Settled => "Nothing new came.",
            SyncEndReason.TimeElapsed => "The time is up.",
            _ => "Stopped.",
        };
}
