using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Reads records one after another, as of the moment at which it was opened; a sync of the same table neither waits for it nor disturbs it.
/// The current record's properties are valid until the next <see cref="Read"/>. One thread at a time.
/// </summary>
internal sealed class RecordScan : IRecordScan
{
    private const int RecordsBetweenLooks = 1024;

    private readonly ReadConnection _connection;
    private readonly Statement? _rows;
    private readonly KeyLayout _layout;
    private readonly string? _filter;
    private long _read;

    internal RecordScan(ReadConnection connection, Statement? rows, KeyLayout layout, string? filter)
    {
        _connection = connection;
        _rows = rows;
        _layout = layout;
        _filter = filter;
    }

    /// <summary>The record as one JSON object in UTF-8; for a deleted one, its last known state.</summary>
    public ReadOnlySpan<byte> Json => Row.Bytes(RecordSelect.BodyColumn);

    ReadOnlySpan<byte> IRecordScan.CheckedJson =>
        JsonText.IsObject(Json) ? Json : throw TableFileErrors.DamagedRecord(_connection.TablePath, Key);

    /// <summary>The record's key.</summary>
    /// <exception cref="TableFileException">What the file contains is not a key.</exception>
    public RecordKey Key
    {
        get
        {
            try
            {
                return StageSql.ReadKey(Row, RecordSelect.KeyColumn, _layout);
            }
            catch (InvalidDataException e)
            {
                throw TableFileErrors.Damaged(_connection.TablePath, "the key of a record is damaged.", e);
            }
        }
    }

    /// <summary>The table's number of the record's last change (I11).</summary>
    public long Sequence => Row.Integer(RecordSelect.SequenceColumn);

    /// <summary>Whether the record is deleted.</summary>
    public bool IsDeleted => Row.Integer(RecordSelect.GoneColumn) != (long)RowState.Live;

    /// <summary>What happened to the record after a sequence number below its own.</summary>
    public ChangeKind KindSince(long sequence) =>
        IsDeleted ? ChangeKind.Deleted
        : Row.Integer(RecordSelect.BornColumn) > sequence ? ChangeKind.Added
        : ChangeKind.Updated;

    ReadOnlySpan<byte> IRecordScan.EncodedKey => EncodedKey;

    /// <summary>Compares the current keys of two scans, in scan order.</summary>
    internal int CompareKey(RecordScan other)
    {
        if (_layout == KeyLayout.Integer && other._layout == KeyLayout.Integer)
            return Row.Integer(RecordSelect.KeyColumn).CompareTo(other.Row.Integer(RecordSelect.KeyColumn));
        return EncodedKey.SequenceCompareTo(other.EncodedKey);
    }

    internal ReadOnlySpan<byte> EncodedKey =>
        _layout == KeyLayout.Encoded ? Row.Bytes(RecordSelect.KeyColumn) : KeyEncoding.Encode(Row.Integer(RecordSelect.KeyColumn));

    /// <summary>Whether records may be read ahead: with a filter, a single step may read many rows.</summary>
    internal bool MayGoAhead => _filter is null && Environment.ProcessorCount > 1;

    private Statement Row => _rows ?? throw new InvalidOperationException("There is no current record.");

    /// <summary>How many records have been read.</summary>
    internal long Count => _read;

    /// <summary>The current record as an object.</summary>
    /// <exception cref="TableFileException">It is not a JSON object; the message has its key.</exception>
    /// <exception cref="JsonException">It does not fit the type; the message has its key.</exception>
    internal T Make<T>(JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(Json, type) ?? throw new JsonException("It is null.");
        }
        catch (JsonException e)
        {
            throw Misfit(e, typeof(T));
        }
    }

    /// <summary>The error for a record that was read before and does not fit a type. The scan ends there.</summary>
    /// <param name="number">Its number among the records read, from 0.</param>
    /// <param name="e">The reason.</param>
    /// <param name="type">The type.</param>
    internal Exception MisfitAt(long number, JsonException e, Type type)
    {
        // The same snapshot, so the same records in the same order.
        Row.Reset();
        for (var at = 0L; at <= number; at++)
            Row.Step();
        return Misfit(e, type);
    }

    private Exception Misfit(JsonException e, Type type)
    {
        if (!JsonText.IsObject(Json))
            return TableFileErrors.DamagedRecord(_connection.TablePath, Key, e);
        return new JsonException(
            $"The record with the key {ForeignText.Shorten(Key.ToString())} of '{_connection.TablePath}' does not fit the type "
                + $"{type.Name}: {e.Message} Let the type allow that, or leave such records out with a filter.",
            e.Path,
            e.LineNumber,
            e.BytePositionInLine,
            e
        );
    }

    /// <summary>Advances to the next record; false if there is none.</summary>
    /// <exception cref="TableFileException">The file can no longer be read.</exception>
    /// <exception cref="FilterException">The filter cannot be evaluated for a record.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public bool Read()
    {
        try
        {
            var hasRow = _rows is not null && _rows.Step();
            if (!hasRow || ++_read % RecordsBetweenLooks == 0)
                _connection.RequireUnchanged();
            return hasRow;
        }
        catch (SqliteException e)
        {
            return _connection.Read(() => FilterGuard.Run(_filter, () => throw e));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows?.Dispose();
        _connection.Dispose();
    }
}
