using System.Management.Automation;
using System.Net.Sockets;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Recording;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.Errors;

/// <summary>
/// Turns errors into PowerShell's error records. A <see cref="LockstepException"/> carries its kind, id and remedy; those of the other
/// known errors are here.
/// </summary>
internal static class ErrorRecords
{
    private static readonly Dictionary<ErrorKind, ErrorCategory> Categories = new()
    {
        [ErrorKind.InvalidArgument] = ErrorCategory.InvalidArgument,
        [ErrorKind.InvalidState] = ErrorCategory.InvalidOperation,
        [ErrorKind.Filter] = ErrorCategory.SyntaxError,
        [ErrorKind.NotFound] = ErrorCategory.ObjectNotFound,
        [ErrorKind.Conflict] = ErrorCategory.ResourceExists,
        [ErrorKind.LimitExceeded] = ErrorCategory.LimitsExceeded,
        [ErrorKind.Timeout] = ErrorCategory.OperationTimeout,
        [ErrorKind.Unreachable] = ErrorCategory.ConnectionError,
        [ErrorKind.Unavailable] = ErrorCategory.ResourceUnavailable,
        [ErrorKind.AccessDenied] = ErrorCategory.AuthenticationError,
        [ErrorKind.FeedNotFound] = ErrorCategory.ObjectNotFound,
        [ErrorKind.UnexpectedAnswer] = ErrorCategory.InvalidResult,
        [ErrorKind.SweepRefused] = ErrorCategory.LimitsExceeded,
        [ErrorKind.FeedProtocol] = ErrorCategory.ProtocolError,
        [ErrorKind.PeerProtocol] = ErrorCategory.ProtocolError,
        [ErrorKind.InsecureCredentials] = ErrorCategory.SecurityError,
        [ErrorKind.Signature] = ErrorCategory.SecurityError,
        [ErrorKind.MalformedRecord] = ErrorCategory.InvalidData,
        [ErrorKind.TruncatedFeed] = ErrorCategory.InvalidData,
        [ErrorKind.Transform] = ErrorCategory.InvalidResult,
        [ErrorKind.FileUnusable] = ErrorCategory.OpenError,
        [ErrorKind.TableMismatch] = ErrorCategory.InvalidArgument,
        [ErrorKind.TableBusy] = ErrorCategory.ResourceBusy,
        [ErrorKind.TableTakenOver] = ErrorCategory.ResourceBusy,
        [ErrorKind.TableSetBack] = ErrorCategory.InvalidResult,
        [ErrorKind.VariableStoreUnavailable] = ErrorCategory.ResourceUnavailable,
        [ErrorKind.VariableStoreReplaced] = ErrorCategory.InvalidData,
    };

    /// <summary>
    /// Errors of .NET and of the test server, which derive from them; looked up by the exception's type, then its base types.
    /// </summary>
    private static readonly Dictionary<Type, Entry> Others = new()
    {
        [typeof(JsonException)] = new(
            ErrorCategory.InvalidData,
            "InvalidJson",
            "A peer has sent a value that is nested too deep for objects: read it with -Raw."
        ),
        [typeof(SocketException)] = new(
            ErrorCategory.OpenError,
            "ListenFailed",
            "Use -Port 0 to pick a free port, and check that -ListenAddress is one of this machine."
        ),

        [typeof(PortInUseException)] = new(
            ErrorCategory.ResourceUnavailable,
            "PortInUse",
            "Use -Port 0 to pick a free port, or stop the program that listens there."
        ),
        [typeof(InvalidRecordException)] = new(
            ErrorCategory.InvalidData,
            "InvalidRecord",
            "Give objects, hashtables, or strings that hold one JSON object each."
        ),
        [typeof(InvalidScenarioException)] = new(
            ErrorCategory.InvalidData,
            "InvalidScenario",
            "A step is a hashtable with a single member, such as @{ waitForClients = 1 }, or @{ fault = @{ kind = 'Cut' } }."
        ),
        [typeof(InvalidRecordingException)] = new(
            ErrorCategory.InvalidData,
            "InvalidRecording",
            "Give a file that a recording of a feed was saved to."
        ),
        [typeof(HttpRequestException)] = new(
            ErrorCategory.ConnectionError,
            "FeedUnreachable",
            "Check the URI, and that the feed's server runs and can be reached from here."
        ),
        [typeof(FileNotFoundException)] = new(ErrorCategory.ObjectNotFound, "FileNotFound", "Check the path."),
        [typeof(DirectoryNotFoundException)] = new(ErrorCategory.ObjectNotFound, "FileNotFound", "Check the path."),
        [typeof(UnauthorizedAccessException)] = new(
            ErrorCategory.PermissionDenied,
            "AccessDenied",
            "Check the rights to the file and its folder, or name another one."
        ),
        [typeof(IOException)] = new(ErrorCategory.ReadError, "FileFailed", "Check the file and the disk it is on."),
    };

    /// <summary>
    /// The error record of a known error; null for any other, which is a bug and passes through unchanged.
    /// </summary>
    public static ErrorRecord? TryDescribe(Exception error, object? target)
    {
        // PowerShell's own exceptions carry their error records.
        if (error is IContainsErrorRecord || Describe(error) is not { } entry)
            return null;
        return new ErrorRecord(error, entry.Id, entry.Category, target)
        {
            ErrorDetails = new ErrorDetails(PlainText.Lines(error.Message))
            {
                RecommendedAction = PlainText.Lines(entry.RecommendedAction),
            },
        };
    }

    private static Entry? Describe(Exception error) =>
        error is LockstepException known
            ? new Entry(Categories.GetValueOrDefault(known.Kind), known.ErrorId, known.Remedy.Render(CmdletWords.Say))
        : error is ListenException unheard and not PortInUseException
            ? new Entry(ErrorCategory.OpenError, "ListenFailed", unheard.RecommendedAction)
        : Find(error.GetType());

    private static Entry? Find(Type? type)
    {
        Entry? entry = null;
        while (type is not null && !Others.TryGetValue(type, out entry))
            type = type.BaseType;

        return entry;
    }

    /// <param name="Category">PowerShell's kind of error.</param>
    /// <param name="Id">The stable id.</param>
    /// <param name="RecommendedAction">What the user can do.</param>
    private sealed record Entry(ErrorCategory Category, string Id, string RecommendedAction);
}
