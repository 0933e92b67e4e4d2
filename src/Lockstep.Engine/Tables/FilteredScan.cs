using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The records of a scan for which a filter holds. They pass in groups through an in-memory SQLite table, so that a filter means the same
/// here as on a table file, and may read no more than there (<see cref="FilterGuard"/>). One thread at a time.
/// </summary>
internal sealed class FilteredScan : IRecordScan
{
    private const int MostRows = 1000;

    private readonly IRecordScan _rows;
    private readonly RecordQuery _query;
    private readonly Func<InvalidDataException, Exception> _damaged;
    private readonly ReadConnection _connection;
    private readonly Statement _insert;
    private readonly Statement _select;
    private long _skip;
    private long _left;
    private bool _isFilled;

    /// <param name="rows">What the query reads without its filter and paging, in its order; owned by this.</param>
    /// <param name="state">The table's state.</param>
    /// <param name="query">The query, with a filter.</param>
    /// <param name="damaged">Makes the error for a row that has no key.</param>
    /// <param name="cancellationToken">Ends a read, even while the filter is being evaluated.</param>
    /// <exception cref="FilterException">The filter is not a read-only expression over the fields.</exception>
    public FilteredScan(
        IRecordScan rows,
        TableState state,
        RecordQuery query,
        Func<InvalidDataException, Exception> damaged,
        CancellationToken cancellationToken
    )
    {
        (_rows, _query, _damaged, _skip, _left) = (rows, query, damaged, query.Skip, query.First ?? long.MaxValue);
        _connection = ReadConnection.InMemory(cancellationToken);
        try
        {
            TableFile.Execute(_connection, TableSchema.CreateRows(TableSchema.Rows, KeyLayout.Encoded, averageBody: 0));
            _insert = new Statement(_connection, $"INSERT INTO {TableSchema.Rows}(key, seq, born, gone, body) VALUES(?1, ?2, ?3, ?4, ?5)");
            _select = new RecordSelect(
                _connection,
                state,
                query with
                {
                    Keys = null,
                    IncludeDeleted = true,
                    Skip = 0,
                    First = null,
                }
            ).Prepare();
        }
        catch
        {
            _insert?.Dispose();
            _connection.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Json => _select.Bytes(RecordSelect.BodyColumn);

    /// <inheritdoc/>
    public RecordKey Key
    {
        get
        {
            try
            {
                return StageSql.ReadKey(_select, RecordSelect.KeyColumn, KeyLayout.Encoded);
            }
            catch (InvalidDataException e)
            {
                throw _damaged(e);
            }
        }
    }

    /// <inheritdoc/>
    public long Sequence => _select.Integer(RecordSelect.SequenceColumn);

    /// <inheritdoc/>
    public bool IsDeleted => _select.Integer(RecordSelect.GoneColumn) != (long)RowState.Live;

    ReadOnlySpan<byte> IRecordScan.EncodedKey => _select.Bytes(RecordSelect.KeyColumn);

    /// <inheritdoc/>
    public ChangeKind KindSince(long sequence) =>
        IsDeleted ? ChangeKind.Deleted
        : _select.Integer(RecordSelect.BornColumn) > sequence ? ChangeKind.Added
        : ChangeKind.Updated;

    /// <inheritdoc/>
    public bool Read()
    {
        while (_left > 0)
        {
            if (!_isFilled && !Fill())
                return false;
            _isFilled = _connection.Read(() => FilterGuard.Run(_query.Filter, _select.Step));
            if (!_isFilled || _skip-- > 0)
                continue;
            _left--;
            return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _insert.Dispose();
        _select.Dispose();
        _connection.Dispose();
        _rows.Dispose();
    }

    private bool Fill()
    {
        _select.Reset();
        TableFile.Execute(_connection, $"BEGIN; DELETE FROM {TableSchema.Rows}");
        var count = 0;
        for (; count < MostRows && _rows.Read(); count++)
        {
            _insert.BindBlob(1, _rows.EncodedKey);
            _insert.Bind(2, _rows.Sequence);
            _insert.Bind(3, _rows.KindSince(_query.Since ?? 0) == ChangeKind.Added ? _rows.Sequence : 0);
            _insert.Bind(4, (long)(_rows.IsDeleted ? RowState.Deleted : RowState.Live));
            _insert.BindText(5, _rows.Json);
            _insert.Execute();
        }

        TableFile.Execute(_connection, "COMMIT");
        return count > 0;
    }
}
