using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>What a merge did to a table, as its rows report it one after another.</summary>
internal sealed class MergeResult
{
    private readonly RowTally _tally = new();

    public ApplyCounts Counts => _tally.Counts;

    /// <summary>By how much the number of live records has grown.</summary>
    public long Rows => _tally.Rows;

    public List<TableChange> Changes { get; } = [];

    /// <param name="kind">The change.</param>
    /// <param name="was">What existed: 0 a record, above it a tombstone, below it nothing.</param>
    /// <param name="count">How many of them.</param>
    public void Add(ChangeKind kind, int was, long count) => _tally.Add(kind, was < 0 ? null : (RowState)was, count);

    /// <summary>Keeps a change for a caller that wants it.</summary>
    /// <param name="kind">The row that reports it.</param>
    /// <param name="row">The row that tells of it.</param>
    /// <param name="column">Where sequence number, key and record stand in the row.</param>
    public void Keep(ChangeKind kind, NpgsqlDataReader row, int column) =>
        Changes.Add(
            new TableChange(
                kind,
                KeyEncoding.Read(row.GetFieldValue<byte[]>(column + 1)),
                row.GetInt64(column),
                row.GetFieldValue<byte[]>(column + 2)
            )
        );

    /// <summary>The changes in the order of their sequence (I11), which several rounds do not follow.</summary>
    public IEnumerable<TableChange> InOrder() => Changes.OrderBy(change => change.Sequence);

    public TableState Apply(TableState state, long sequence) =>
        state with
        {
            Rows = state.Rows + _tally.Rows,
            Tombstones = state.Tombstones + _tally.Tombstones,
            Sequence = sequence,
        };
}
