using Lockstep.Engine;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Gossip;
using Lockstep.Postgres;

namespace Lockstep.Cli;

/// <summary>What the program's exit code means.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>Any other error.</summary>
    public const int Error = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>The feed, peer or database cannot be reached, answered with an error, or was cut off: trying again may help.</summary>
    public const int Feed = 3;

    /// <summary>The table or its file cannot be used, is in use, or belongs to something else.</summary>
    public const int Table = 4;

    /// <summary>The feed holds something that is no record.</summary>
    public const int Data = 5;

    /// <summary>Ctrl+C.</summary>
    public const int Cancelled = 130;

    public static int Of(Exception error) =>
        error switch
        {
            OperationCanceledException => Cancelled,
            MalformedRecordException or TransformException => Data,
            FeedException or GossipUnreachableException or FeedServingException or PostgresAccessException or TableStoreException => Feed,
            GossipStoreException
            or PostgresTableException
            or TableFileException
            or TableMismatchException
            or TableNotFoundException
            or TableBusyException => Table,
            FilterException or ArgumentException => Usage,
            LockstepException => Error,
            _ => Error,
        };
}
