namespace Lockstep.Postgres;

/// <summary>How a feed learns of changes.</summary>
public enum PostgresFeedMode
{
    /// <summary>
    /// By polling a column <c>txid</c>, which shows what is new. Works with any tracked table and any view, and on replicas.
    /// </summary>
    Polling,

    /// <summary>
    /// By logical replication. Needs a table with a primary key, otherwise unchanged, on a primary with <c>wal_level = logical</c>.
    /// </summary>
    Replication,
}
