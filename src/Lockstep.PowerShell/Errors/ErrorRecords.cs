using System.Management.Automation;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Gossip;
using Lockstep.Postgres;
using Lockstep.Postgres.Tables;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Scenarios;
using Lockstep.Ticks;

namespace Lockstep.Errors;

/// <summary>
/// Turns errors into PowerShell's error records, by one table that is searched for the exception's type, then its base types.
/// A <see cref="LockstepException"/> brings its id and recommended action with it.
/// </summary>
internal static class ErrorRecords
{
    private static readonly Dictionary<Type, Entry> Table = new()
    {
        [typeof(PathProviderException)] = new(ErrorCategory.InvalidArgument),
        [typeof(PathNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(PathIsFolderException)] = new(ErrorCategory.InvalidArgument),
        [typeof(InvalidOptionException)] = new(ErrorCategory.InvalidArgument),
        [typeof(UnsuitableObjectException)] = new(ErrorCategory.InvalidData),
        [typeof(TestServerNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(ServerNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(CallbackException)] = new(ErrorCategory.InvalidOperation),
        [typeof(TokenProviderException)] = new(ErrorCategory.AuthenticationError),
        [typeof(WaitTimeoutException)] = new(ErrorCategory.OperationTimeout),
        [typeof(ModelNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(ModelNameInUseException)] = new(ErrorCategory.ResourceExists),
        [typeof(ModelValueNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(ModelListenerNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(ModelNotConnectedException)] = new(ErrorCategory.InvalidOperation),
        [typeof(ModelSyncTimeoutException)] = new(ErrorCategory.OperationTimeout),
        [typeof(LockstepException)] = new(ErrorCategory.NotSpecified),

        [typeof(FeedUnreachableException)] = new(ErrorCategory.ConnectionError),
        [typeof(FeedStatusException)] = new(ErrorCategory.InvalidResult),
        [typeof(FeedCutException)] = new(ErrorCategory.ConnectionError),
        [typeof(FeedRedirectException)] = new(ErrorCategory.ProtocolError),
        [typeof(InsecureCredentialsException)] = new(ErrorCategory.SecurityError),
        [typeof(MalformedRecordException)] = new(ErrorCategory.InvalidData),
        [typeof(TruncatedFeedException)] = new(ErrorCategory.InvalidData),
        [typeof(ResyncLoopException)] = new(ErrorCategory.ProtocolError),
        [typeof(TransformException)] = new(ErrorCategory.InvalidResult),
        [typeof(TableFileException)] = new(ErrorCategory.OpenError),
        [typeof(TableMismatchException)] = new(ErrorCategory.InvalidArgument),
        [typeof(TableNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(TableBusyException)] = new(ErrorCategory.ResourceBusy),
        [typeof(FilterException)] = new(ErrorCategory.SyntaxError),

        [typeof(PostgresTableException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(TableLeaderException)] = new(ErrorCategory.ResourceBusy),
        [typeof(TableSetBackException)] = new(ErrorCategory.InvalidResult),
        [typeof(TableStoreUnavailableException)] = new(ErrorCategory.ResourceUnavailable),
        [typeof(PostgresAccessException)] = new(ErrorCategory.AuthenticationError),
        [typeof(FeedUnavailableException)] = new(ErrorCategory.ResourceUnavailable),

        [typeof(VariableNotFoundException)] = new(ErrorCategory.ObjectNotFound),
        [typeof(TickConflictException)] = new(ErrorCategory.ResourceExists),
        [typeof(TickTooLateException)] = new(ErrorCategory.InvalidOperation),
        [typeof(TickTooSmallException)] = new(ErrorCategory.LimitsExceeded),
        [typeof(TickDeadlineException)] = new(ErrorCategory.OperationTimeout),
        [typeof(TickStoreUnavailableException)] = new(ErrorCategory.ResourceUnavailable),
        [typeof(GossipException)] = new(ErrorCategory.InvalidOperation),
        [typeof(GossipUnreachableException)] = new(ErrorCategory.ConnectionError),
        [typeof(GossipProtocolException)] = new(ErrorCategory.ProtocolError),
        [typeof(GossipIdentityException)] = new(ErrorCategory.InvalidArgument),
        [typeof(GossipSecurityException)] = new(ErrorCategory.SecurityError),
        [typeof(GossipChangeException)] = new(ErrorCategory.LimitsExceeded),
        [typeof(GossipStoreException)] = new(ErrorCategory.OpenError),
        [typeof(JsonException)] = new(
            ErrorCategory.InvalidData,
            "InvalidJson",
            "A peer has sent a value that is nested too deep for objects: read it with -Raw."
        ),
        [typeof(SocketException)] = new(
            ErrorCategory.OpenError,
            "ListenFailed",
            "Use -Port 0 to have a free port picked, and check that -ListenAddress is one of this machine."
        ),

        // The test server's own, which are .NET's kinds of error.
        [typeof(PortInUseException)] = new(
            ErrorCategory.ResourceUnavailable,
            "PortInUse",
            "Use -Port 0 to have a free port picked, or stop the program that listens there."
        ),
        [typeof(ListenException)] = new(
            ErrorCategory.OpenError,
            "ListenFailed",
            "Check -ListenAddress and -Port: the address must be one of this machine, and ports below 1024 may need more rights."
        ),
        [typeof(InvalidRecordException)] = new(
            ErrorCategory.InvalidData,
            "InvalidRecord",
            "Give objects, hashtables, or strings that hold one JSON object each."
        ),
        [typeof(InvalidScenarioException)] = new(
            ErrorCategory.InvalidData,
            "InvalidScenario",
            "A step is a hashtable with one member, such as @{ waitForClients = 1 }, or @{ fault = @{ kind = 'Cut' } }."
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
    /// The error record of an error that the table names; null for any other, which is a fault of ours and passes as it is.
    /// </summary>
    public static ErrorRecord? TryDescribe(Exception error, object? target)
    {
        // PowerShell's own exceptions bring their error records with them.
        if (error is IContainsErrorRecord || Find(error.GetType()) is not { } entry)
            return null;

        var known = error as LockstepException;
        var category = error is FeedStatusException status ? CategoryOf(status) : entry.Category;
        return new ErrorRecord(error, known?.ErrorId ?? entry.Id, category, target)
        {
            ErrorDetails = new ErrorDetails(error.Message) { RecommendedAction = known?.RecommendedAction ?? entry.RecommendedAction },
        };
    }

    private static ErrorCategory CategoryOf(FeedStatusException error) =>
        error switch
        {
            { IsRefusal: true } => ErrorCategory.AuthenticationError,
            { Status: HttpStatusCode.NotFound } => ErrorCategory.ObjectNotFound,
            { IsTransient: true } => ErrorCategory.ResourceUnavailable,
            _ => ErrorCategory.InvalidResult,
        };

    private static Entry? Find(Type? type)
    {
        Entry? entry = null;
        while (type is not null && !Table.TryGetValue(type, out entry))
            type = type.BaseType;

        return entry;
    }

    /// <param name="Category">PowerShell's kind of error.</param>
    /// <param name="Id">The stable id, where the exception does not bring its own.</param>
    /// <param name="RecommendedAction">What the user can do, likewise.</param>
    private sealed record Entry(ErrorCategory Category, string? Id = null, string? RecommendedAction = null);
}
