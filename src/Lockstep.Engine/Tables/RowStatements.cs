using System.Globalization;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>The statements that run once per record, prepared for the table of records or for its stage.</summary>
internal sealed class RowStatements(SqliteConnection connection, string table, Interruption interruption) : IDisposable
{
    public const int KeyParameter = 1;
    public const int SequenceParameter = 2;
    public const int OrderParameter = 3;
    public const int TransactionParameter = 4;
    public const int GoneParameter = 5;
    public const int BodyParameter = 6;

    /// <summary>How many parameters a row has.</summary>
    public const int Parameters = 6;

    /// <summary>How many rows <see cref="InsertMany"/> inserts.</summary>
    public const int ManyRows = 64;

    /// <summary>The position of the order value in <see cref="UpdateOrder"/>.</summary>
    public const int OnlyOrderParameter = 2;

    /// <summary>The position of the transaction in <see cref="UpdateOrder"/>.</summary>
    public const int OnlyTransactionParameter = 3;

    public const int GoneColumn = 0;
    public const int OrderColumn = 1;
    public const int BodyColumn = 2;

    private Statement? _insertMany;
    private Statement? _insertNew;
    private Statement? _selectBelow;
    private Statement? _deleteBelow;
    private Statement? _selectChange;

    /// <summary>The stored record of a key.</summary>
    public Statement Select { get; } = new(connection, $"SELECT gone, ord, body FROM {table} WHERE key = ?1");

    /// <summary>The greatest stored key; NULL if there is none.</summary>
    public Statement SelectLastKey { get; } = new(connection, $"SELECT max(key) FROM {table}");

    public Statement Insert { get; } = new(connection, InsertInto(table) + ValuesOf(0));

    /// <summary>
    /// Inserts several rows at once: the parameters of the n-th row, from 0, start after n times <see cref="Parameters"/>. If their keys
    /// ascend, SQLite moves from one to the next without a search, which saves a quarter of the time of an insert.
    /// </summary>
    public Statement InsertMany =>
        _insertMany ??= new Statement(
            connection,
            InsertInto(table) + string.Join(',', Enumerable.Range(0, ManyRows).Select(row => ValuesOf(row * Parameters)))
        );

    /// <summary>Inserts a record unless its key is stored: one search instead of two, as <see cref="Replace"/>.</summary>
    public Statement InsertNew => _insertNew ??= new Statement(connection, $"{InsertInto(table)}{ValuesOf(0)} ON CONFLICT(key) DO NOTHING");

    public Statement Update { get; } =
        new(
            connection,
            $"UPDATE {table} SET born = CASE gone WHEN 0 THEN born ELSE ?2 END, seq = ?2, ord = ?3, txid = ?4, gone = ?5, "
                + $"body = ?6 WHERE key = ?1"
        );

    /// <summary>
    /// Replaces a live record by a newer, different, live one, as most of a feed does, in one search instead of two. It has the parameters
    /// of <see cref="Update"/>, and changes nothing if anything else is stored: then <see cref="Select"/> tells what.
    /// </summary>
    public Statement Replace { get; } =
        new(
            connection,
            $"UPDATE {table} SET seq = ?2, ord = ?3, txid = ?4, body = ?6 WHERE key = ?1 AND gone = ?5 AND ord < ?3 AND body <> ?6"
        );

    /// <summary>The same content arrived with a higher order value: the order value is stored, and nothing has changed.</summary>
    public Statement UpdateOrder { get; } = new(connection, $"UPDATE {table} SET ord = ?2, txid = ?3 WHERE key = ?1");

    /// <summary>The number of a record's last change, and its content.</summary>
    public Statement SelectChange => _selectChange ??= new Statement(connection, $"SELECT seq, body FROM {table} WHERE key = ?1");

    /// <summary>The keys of the live records between two keys, in order.</summary>
    public Statement SelectBelow =>
        _selectBelow ??= new Statement(connection, $"SELECT key FROM {table} WHERE key > ?1 AND key < ?2 AND gone = 0 ORDER BY key");

    /// <summary>Deletes a record, whose content stays.</summary>
    public Statement DeleteBelow =>
        _deleteBelow ??= new Statement(connection, $"UPDATE {table} SET gone = {(int)RowState.Deleted}, seq = ?2 WHERE key = ?1");

    /// <exception cref="OperationCanceledException">The writer was interrupted.</exception>
    public void ThrowIfInterrupted() => interruption.ThrowIfRequested();

    public void Dispose()
    {
        Select.Dispose();
        SelectLastKey.Dispose();
        Insert.Dispose();
        _insertMany?.Dispose();
        _insertNew?.Dispose();
        _selectBelow?.Dispose();
        _deleteBelow?.Dispose();
        _selectChange?.Dispose();
        Update.Dispose();
        Replace.Dispose();
        UpdateOrder.Dispose();
    }

    private static string InsertInto(string table) => $"INSERT INTO {table}(key, seq, born, ord, txid, gone, body) VALUES";

    private static string ValuesOf(int before) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"(?{before + KeyParameter},?{before + SequenceParameter},?{before + SequenceParameter},?{before + OrderParameter},"
                + $"?{before + TransactionParameter},?{before + GoneParameter},?{before + BodyParameter})"
        );
}
