namespace Lockstep.Postgres;

/// <summary>How a feed learns of changes.</summary>
public enum PostgresFeedMode
{
    /// <summary>
    /// By polling a column <c>txid</c>, which shows what is new: any tracked table, and any view; also from replicas.
    /// </summary>
    Polling,

    /// <summary>By logical replication: a table with a primary key as it is, on a primary with <c>wal_level = logical</c>.</summary>
    Replication,
}
