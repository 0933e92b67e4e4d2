using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Sync;

namespace Lockstep.Cli.Output;

/// <summary>The program's exit codes.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>Any other error.</summary>
    public const int Error = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>The feed, peer or database cannot be reached, answered with an error, or was cut off: retrying may help.</summary>
    public const int Feed = 3;

    /// <summary>The table or its file cannot be used, is in use, or belongs to something else.</summary>
    public const int Table = 4;

    /// <summary>The feed contains something that is not a record.</summary>
    public const int Data = 5;

    /// <summary><c>lockstep test</c>: the table differs from its feed; <c>lockstep repair</c>: it may still differ.</summary>
    public const int Different = 6;

    /// <summary>A whole set would have removed too much to be credible; nothing was changed.</summary>
    public const int SweepRefused = 7;

    /// <summary>Ctrl+C.</summary>
    public const int Cancelled = 130;

    /// <summary>The kinds with a code of their own; the others are <see cref="Error"/>.</summary>
    private static readonly Dictionary<ErrorKind, int> Codes = new()
    {
        [ErrorKind.Filter] = Usage,
        [ErrorKind.Unreachable] = Feed,
        [ErrorKind.Unavailable] = Feed,
        [ErrorKind.AccessDenied] = Feed,
        [ErrorKind.FeedNotFound] = Feed,
        [ErrorKind.UnexpectedAnswer] = Feed,
        [ErrorKind.FeedProtocol] = Feed,
        [ErrorKind.FeedRequest] = Feed,
        [ErrorKind.InsecureCredentials] = Feed,
        [ErrorKind.TruncatedFeed] = Feed,
        [ErrorKind.TableTakenOver] = Feed,
        [ErrorKind.TableSetBack] = Feed,
        [ErrorKind.VariableStoreUnavailable] = Feed,
        [ErrorKind.VariableStoreReplaced] = Feed,
        [ErrorKind.SweepRefused] = SweepRefused,
        [ErrorKind.NotFound] = Table,
        [ErrorKind.FileUnusable] = Table,
        [ErrorKind.TableMismatch] = Table,
        [ErrorKind.TableBusy] = Table,
        [ErrorKind.MalformedRecord] = Data,
        [ErrorKind.Transform] = Data,
    };

    /// <summary>The outcome of a sync: README.md has the same table. An error has the code of its kind.</summary>
    private static readonly Dictionary<SyncOutcome, int> Outcomes = new()
    {
        [SyncOutcome.Complete] = Ok,
        [SyncOutcome.Incomplete] = Ok,
        [SyncOutcome.Quarantined] = Ok,
        [SyncOutcome.Owed] = Ok,
        [SyncOutcome.SweepRefused] = SweepRefused,
        [SyncOutcome.Stopped] = Cancelled,
        [SyncOutcome.Failed] = Error,
    };

    /// <summary>The code for a sync that ended without an error. Ctrl+C, or the end of the time, is the normal end of following.</summary>
    /// <param name="outcome">The outcome.</param>
    /// <param name="follows">Whether it follows.</param>
    /// <param name="repairs">Whether it repairs: a set that was not applied in full leaves something unrepaired.</param>
    public static int Of(SyncOutcome outcome, bool follows, bool repairs = false) =>
        follows && outcome == SyncOutcome.Stopped ? Ok
        : repairs && (outcome is SyncOutcome.Incomplete or SyncOutcome.Owed) ? Different
        : Outcomes[outcome];

    public static int Of(Exception error) =>
        error switch
        {
            OperationCanceledException => Cancelled,
            InvalidOptionException or DialectFormatException => Usage,
            LockstepException known => Codes.GetValueOrDefault(known.Kind, Error),
            ArgumentException => Usage,
            _ => Error,
        };
}
