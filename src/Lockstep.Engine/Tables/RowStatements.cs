using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>The statements that run once per record, prepared for the table of the records or for its stage.</summary>
internal sealed class RowStatements(SqliteConnection connection, string table, Interruption interruption) : IDisposable
{
    public const int KeyParameter = 1;
    public const int SequenceParameter = 2;
    public const int OrderParameter = 3;
    public const int TransactionParameter = 4;
    public const int GoneParameter = 5;
    public const int BodyParameter = 6;

    /// <summary>The order's place in <see cref="UpdateOrder"/>, which has but two parameters.</summary>
    public const int OnlyOrderParameter = 2;

    public const int GoneColumn = 0;
    public const int OrderColumn = 1;
    public const int TransactionColumn = 2;
    public const int BodyColumn = 3;

    /// <summary>The stored record of a key.</summary>
    public Statement Select { get; } = new(connection, $"SELECT gone, ord, txid, body FROM {table} WHERE key = ?1");

    public Statement Insert { get; } = new(connection, $"INSERT INTO {table}(key, seq, born, ord, txid, gone, body) VALUES(?1, ?2, ?2, ?3, ?4, ?5, ?6)");

    public Statement Update { get; } = new(connection, $"UPDATE {table} SET born = CASE gone WHEN 0 THEN born ELSE ?2 END, seq = ?2, ord = ?3, txid = ?4, gone = ?5, body = ?6 WHERE key = ?1");

    /// <summary>The same record came with a higher order value: that is remembered, and is no change.</summary>
    public Statement UpdateOrder { get; } = new(connection, $"UPDATE {table} SET ord = ?2 WHERE key = ?1");

    /// <exception cref="OperationCanceledException">The writer was told to break off.</exception>
    public void ThrowIfInterrupted() => interruption.ThrowIfRequested();

    public void Dispose()
    {
        Select.Dispose();
        Insert.Dispose();
        Update.Dispose();
        UpdateOrder.Dispose();
    }
}
