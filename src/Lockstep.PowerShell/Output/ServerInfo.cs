using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep;

/// <summary>
/// A server of feeds in this process, as <c>Start-LockstepServer</c> returns it. Its properties are read live.
/// </summary>
public sealed class ServerInfo : ISessionServer<ServerInfo>
{
    internal ServerInfo(RunningFeedServer server) => Server = server;

    /// <summary>Its root, with the port that is really bound; <c>/readyz</c> below it tells whether all feeds can be read.</summary>
    public Uri Uri => Server.Uri;

    /// <summary>The port that is bound.</summary>
    public int Port => Uri.Port;

    /// <summary>What it serves.</summary>
    public ServerFeed[] Feed => Server.Feeds;

    /// <summary>When it was started, in local time.</summary>
    public DateTime StartTime => Server.StartTime;

    /// <summary>Whether it runs and all of its feeds can be read.</summary>
    public bool IsHealthy => IsRunning && Array.TrueForAll(Feed, feed => feed.Error is null);

    /// <summary>False once it was stopped.</summary>
    public bool IsRunning => Server.IsRunning;

    internal RunningFeedServer Server { get; }

    Task ISessionServer<ServerInfo>.StopAsync() => Server.StopAsync();

    static Exception ISessionServer<ServerInfo>.NotOne(IReadOnlyList<ServerInfo> running) =>
        new ServerNotFoundException([.. running.Select(server => server.Uri)]);

    /// <summary>The server's root.</summary>
    public override string ToString() => Uri.ToString();
}

/// <summary>One feed of a server, as of the moment of asking.</summary>
public sealed class ServerFeed
{
    /// <summary>Its name in the path.</summary>
    public required string Name { get; init; }

    /// <summary>Its address: what <c>Sync-LockstepTable -Uri</c> wants.</summary>
    public required Uri Uri { get; init; }

    /// <summary>Where its records come from, without secrets: a database's table, or a table file.</summary>
    public required string Source { get; init; }

    /// <summary>The cursor of a client that has everything; null while it cannot be read.</summary>
    public long? Cursor { get; init; }

    /// <summary>Changes whenever cursors given out before mean nothing any more; null while it cannot be read.</summary>
    public string? Identity { get; init; }

    /// <summary>How long the oldest open writing transaction has been holding cursors back; zero for a table file.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>
    /// What there was last to know of it: a replication slot that was dropped, a resync that was forced; null for nothing.
    /// </summary>
    public string? Notice { get; init; }

    /// <summary>Why it cannot be read for now; null when it can.</summary>
    public string? Error { get; init; }

    /// <summary>Its address.</summary>
    public override string ToString() => Uri.ToString();
}

/// <summary>The dialect in which a server sends a synced table.</summary>
public enum ServerDialect
{
    /// <summary>The transaction dialect, with the table's own sequence in the place of transactions.</summary>
    Transaction = 0,

    /// <summary>
    /// The record dialect of the original lockstep: the record's own fields, one record to a chunk, the order field replaced by the table's
    /// own sequence.
    /// </summary>
    Record = 1,
}

/// <summary>How a server learns of the changes of a table of PostgreSQL.</summary>
public enum ServerMode
{
    /// <summary>By reading what a column txid tells to be new: any tracked table, and any view.</summary>
    Polling,

    /// <summary>By logical replication: a table with a primary key as it is, on a server with <c>wal_level = logical</c>.</summary>
    Replication,
}
