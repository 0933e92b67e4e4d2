using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>What a merge did to a table, collected from the rows that it returns.</summary>
internal sealed class MergeResult
{
    private readonly RowTally _tally = new();

    public ApplyCounts Counts => _tally.Counts;

    /// <summary>By how much the number of live records has grown.</summary>
    public long Rows => _tally.Rows;

    public List<TableChange> Changes { get; } = [];

    /// <param name="kind">The change.</param>
    /// <param name="was">What existed: 0 for a record, above 0 for a tombstone, below 0 for nothing.</param>
    /// <param name="count">How many of them.</param>
    public void Add(ChangeKind kind, int was, long count) => _tally.Add(kind, was < 0 ? null : (RowState)was, count);

    /// <summary>Keeps a change for a caller that wants it.</summary>
    /// <param name="kind">The kind of change.</param>
    /// <param name="row">The row that reports it.</param>
    /// <param name="column">The row's column with the sequence number; the key and the record follow it.</param>
    public void Keep(ChangeKind kind, NpgsqlDataReader row, int column) =>
        Changes.Add(
            new TableChange(
                kind,
                KeyEncoding.Read(row.GetFieldValue<byte[]>(column + 1)),
                row.GetInt64(column),
                row.GetFieldValue<byte[]>(column + 2)
            )
        );

    /// <summary>The changes in order of sequence (I11), which several rounds do not follow.</summary>
    public IEnumerable<TableChange> InOrder() => Changes.OrderBy(change => change.Sequence);

    public TableState Apply(TableState state, long sequence) =>
        state with
        {
            Rows = state.Rows + _tally.Rows,
            Tombstones = state.Tombstones + _tally.Tombstones,
            Sequence = sequence,
        };
}
