namespace Lockstep;

/// <summary>How a server learns of the changes of a table of PostgreSQL.</summary>
public enum ServerMode
{
    /// <summary>By reading what a column txid tells to be new: any tracked table, and any view.</summary>
    Polling,

    /// <summary>By logical replication: a table with a primary key as it is, on a server with <c>wal_level = logical</c>.</summary>
    Replication,
}
