using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Npgsql;

namespace Lockstep.Postgres.Tables;

/// <summary>Reads the rows of a query over a table, one after another. One thread at a time.</summary>
internal sealed class PostgresScan : IRecordScan
{
    /// <summary>The columns a query must select, in this order.</summary>
    public const string Columns = "key, seq, gone, body, born";

    private readonly PostgresTableStore _store;
    private readonly string _table;
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlCommand _command;
    private readonly NpgsqlDataReader _rows;
    private byte[] _key = [];
    private byte[] _json = [];

    /// <param name="store">The database.</param>
    /// <param name="table">The table's name, for errors.</param>
    /// <param name="connection">Open; owned by this.</param>
    /// <param name="command">The query; owned by this.</param>
    public PostgresScan(PostgresTableStore store, string table, NpgsqlConnection connection, NpgsqlCommand command)
    {
        (_store, _table, _connection, _command) = (store, table, connection, command);
        _rows = command.ExecuteReader();
    }

    public ReadOnlySpan<byte> Json => _json;

    /// <inheritdoc/>
    /// <exception cref="TableDamagedException">It is no key.</exception>
    public RecordKey Key
    {
        get
        {
            try
            {
                return KeyEncoding.Read(_key);
            }
            catch (InvalidDataException e)
            {
                throw _store.Damaged(_table, e);
            }
        }
    }

    public long Sequence => _rows.GetInt64(1);

    public bool IsDeleted => _rows.GetInt16(2) != 0;

    ReadOnlySpan<byte> IRecordScan.EncodedKey => _key;

    /// <summary>What happened to the record of a row after a sequence number.</summary>
    public static ChangeKind KindSince(NpgsqlDataReader row, long sequence) =>
        row.GetInt16(2) != 0 ? ChangeKind.Deleted
        : row.GetInt64(4) > sequence ? ChangeKind.Added
        : ChangeKind.Updated;

    public ChangeKind KindSince(long sequence) => KindSince(_rows, sequence);

    public bool Read() =>
        _store.Guard(
            _table,
            () =>
            {
                if (!(_store.Stop.CanBeCanceled ? _rows.ReadAsync(_store.Stop).GetAwaiter().GetResult() : _rows.Read()))
                    return false;
                (_key, _json) = (_rows.GetFieldValue<byte[]>(0), _rows.GetFieldValue<byte[]>(3));
                return true;
            }
        );

    public void Dispose()
    {
        // A scan that is abandoned early need not be read to its end.
        if (!_rows.IsClosed)
            _command.Cancel();
        try
        {
            _rows.Dispose();
        }
        catch (PostgresException)
        {
            // A cancelled read throws here.
        }

        _command.Dispose();
        _connection.Dispose();
    }
}

/// <summary>The scan of a table that is still empty.</summary>
internal sealed class EmptyScan : IRecordScan
{
    public ReadOnlySpan<byte> Json => throw None;

    public RecordKey Key => throw None;

    public long Sequence => throw None;

    public bool IsDeleted => throw None;

    ReadOnlySpan<byte> IRecordScan.EncodedKey => throw None;

    private static InvalidOperationException None => new("There is no current record.");

    public ChangeKind KindSince(long sequence) => throw None;

    public bool Read() => false;

    public void Dispose() { }
}
