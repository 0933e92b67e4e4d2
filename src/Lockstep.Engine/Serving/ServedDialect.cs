namespace Lockstep.Engine.Serving;

/// <summary>How a table file's rows are written to clients.</summary>
public enum ServedDialect
{
    /// <summary>The transaction dialect, with the table's own sequence in the place of transactions.</summary>
    Transaction = 0,

    /// <summary>
    /// The record dialect of the original lockstep, for its clients: the record's own fields, one record to a chunk, the order field
    /// replaced by the table's own sequence.
    /// </summary>
    Record = 1,
}
