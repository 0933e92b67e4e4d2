using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep;

/// <summary>A feed server in this process, as <c>Start-LockstepServer</c> returns it. Its properties are read live.</summary>
public sealed class ServerInfo : ISessionServer<ServerInfo>
{
    internal ServerInfo(RunningFeedServer server) => Server = server;

    /// <summary>Its root, with the port it is bound to; <c>/readyz</c> below it says whether all feeds can be read.</summary>
    public Uri Uri => Server.Uri;

    /// <summary>The port that is bound.</summary>
    public int Port => Uri.Port;

    /// <summary>What it serves.</summary>
    public ServerFeed[] Feed => Server.Feeds;

    /// <summary>When it was started, in local time.</summary>
    public DateTime StartTime => Server.StartTime;

    /// <summary>Whether it is running and can read all of its feeds.</summary>
    public bool IsHealthy => IsRunning && Array.TrueForAll(Feed, feed => feed.Error is null);

    /// <summary>False once it has been stopped.</summary>
    public bool IsRunning => Server.IsRunning;

    internal RunningFeedServer Server { get; }

    Task ISessionServer<ServerInfo>.StopAsync() => Server.StopAsync();

    static Exception ISessionServer<ServerInfo>.NotOne(IReadOnlyList<ServerInfo> running) =>
        new ServerNotFoundException([.. running.Select(server => server.Uri)]);

    /// <summary>The server's root.</summary>
    public override string ToString() => Uri.ToString();
}

/// <summary>One feed of a server, at the moment of asking.</summary>
public sealed class ServerFeed
{
    /// <summary>Its name in the path.</summary>
    public required string Name { get; init; }

    /// <summary>Its address, for <c>Sync-LockstepTable -Uri</c>.</summary>
    public required Uri Uri { get; init; }

    /// <summary>Where its records come from, without secrets: a database's table, or a table file.</summary>
    public required string Source { get; init; }

    /// <summary>The cursor of a client that has everything; null while the feed cannot be read.</summary>
    public long? Cursor { get; init; }

    /// <summary>Changes whenever earlier cursors become meaningless; null while the feed cannot be read.</summary>
    public string? Identity { get; init; }

    /// <summary>How long the oldest open writing transaction has been holding cursors back; zero for a table file.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>The last notice about it: a replication slot that was dropped, a resync that was forced; null for none.</summary>
    public string? Notice { get; init; }

    /// <summary>Why it cannot be read for now; null if it can.</summary>
    public string? Error { get; init; }

    /// <summary>Its address.</summary>
    public override string ToString() => Uri.ToString();
}

/// <summary>The dialect in which a server sends a synced table.</summary>
public enum ServerDialect
{
    /// <summary>The transaction dialect, with the table's own sequence in place of transactions.</summary>
    Transaction = 0,

    /// <summary>
    /// The record dialect of the original lockstep: the record's own fields, one record per chunk, the order field replaced by the table's
    /// own sequence.
    /// </summary>
    Record = 1,
}

/// <summary>How a server detects the changes of a PostgreSQL table.</summary>
public enum ServerMode
{
    /// <summary>By reading rows that a txid column shows to be new: any tracked table, and any view.</summary>
    Polling,

    /// <summary>By logical replication: a table with a primary key as it is, on a server with <c>wal_level = logical</c>.</summary>
    Replication,
}
