using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>The SQL for reshaping a table of records, wherever that is done.</summary>
internal static class StageSql
{
    /// <summary>Binds the key read by one statement to another.</summary>
    public static void CopyKey(Statement from, int column, Statement to, int parameter, KeyLayout layout)
    {
        if (layout == KeyLayout.Integer)
        {
            to.Bind(parameter, from.Integer(column));
        }
        else
        {
            to.BindBlob(parameter, from.Bytes(column));
        }
    }

    /// <summary>
    /// Compares two stored order values of one table: -1, 0 or 1. Strings are all equal, so that arrival decides; an unknown value on the
    /// right is below all.
    /// </summary>
    public static int CompareOrder(Statement left, int leftColumn, Statement right, int rightColumn, OrderKind kind) =>
        kind == OrderKind.Arrival ? 0
        : right.IsNull(rightColumn) ? 1
        : OrderValue.Compare(ReadOrder(left, leftColumn, kind), ReadOrder(right, rightColumn, kind));

    public static OrderValue ReadOrder(Statement row, int column, OrderKind kind)
    {
        if (row.IsNull(column))
            return default;
        if (row.IsInteger(column))
            return OrderValue.FromInteger(row.Integer(column));
        return kind == OrderKind.Text
            ? OrderValue.FromText(Encoding.UTF8.GetString(row.Bytes(column)))
            : OrderValue.FromNumber(row.Bytes(column));
    }

    /// <summary>
    /// Whether two records are the same: the same bytes or, if arrival is the order, the same JSON, since such servers may write a record
    /// in more than one way. So may others that send the record again from which they resume, which has the same order value.
    /// </summary>
    /// <param name="left">The stored record.</param>
    /// <param name="right">The arriving one.</param>
    /// <param name="kind">What the order value is.</param>
    /// <param name="order">How it compares with the stored one.</param>
    public static bool IsSameBody(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right, OrderKind kind, int order = 0)
    {
        if (left.SequenceEqual(right))
            return true;
        if (left.Length < 2 || right.Length < 2)
            return false;
        // Strings are all equal, so that they show nothing.
        return (kind == OrderKind.Arrival || (kind == OrderKind.Number && order == 0)) && JsonMerge.AreEqual(left, right);
    }

    public static RecordKey ReadKey(Statement row, int column, KeyLayout layout) =>
        layout == KeyLayout.Integer ? new RecordKey(row.Integer(column)) : KeyEncoding.Read(row.Bytes(column));

    public static bool TableExists(SqliteConnection connection, string name) =>
        TableFile.Scalar(connection, $"SELECT count(*) FROM sqlite_master WHERE name = '{name}'") > 0;

    /// <summary>How a table of records stores its keys.</summary>
    public static KeyLayout LayoutOf(SqliteConnection connection, string table) =>
        TableFile.Scalar(connection, $"SELECT count(*) FROM pragma_table_info('{table}') WHERE name = 'key' AND type = 'INTEGER'") > 0
            ? KeyLayout.Integer
            : KeyLayout.Encoded;

    /// <summary>
    /// Rewrites a table of integer keys as one of encoded keys, in the caller's transaction. Its views must have been dropped.
    /// </summary>
    public static void EncodeKeys(SqliteConnection connection, string table)
    {
        const string Target = "lockstep_encoded";
        TableFile.Execute(connection, TableSchema.CreateRows(Target, KeyLayout.Encoded, 0));
        using (var select = new Statement(connection, $"SELECT key FROM {table}"))
        using (
            var insert = new Statement(
                connection,
                $"INSERT INTO {Target}(key, seq, born, ord, txid, gone, body) SELECT ?2, seq, born, ord, txid, gone, body "
                    + $"FROM {table} WHERE key = ?1"
            )
        )
        {
            while (select.Step())
            {
                insert.Bind(1, select.Integer(0));
                insert.BindBlob(2, KeyEncoding.Encode(select.Integer(0)));
                insert.Execute();
            }
        }

        TableFile.Execute(connection, $"DROP TABLE {table}; ALTER TABLE {Target} RENAME TO {table}");
    }
}
