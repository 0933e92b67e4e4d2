using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file's records as its writer sees them: the table of rows, the layout of its keys, its view and its indexes. Everything runs in
/// the writer's transaction.
/// </summary>
internal sealed class RecordTable(SqliteConnection connection, Interruption interruption) : IDisposable
{
    private RowStatements? _rows;

    /// <summary>Whether there has been a record.</summary>
    public bool Exists => StageSql.TableExists(connection, TableSchema.Rows);

    /// <summary>
    /// The statements that write rows of a shape; creates the table if it does not exist, and converts its keys if the shape requires it.
    /// </summary>
    /// <param name="shape">The shape of the rows.</param>
    /// <param name="state">The table's state.</param>
    /// <param name="batch">The batch to be written.</param>
    public RowStatements Open(RecordShape shape, TableState state, RecordBatch batch)
    {
        if (!Exists)
        {
            var average = batch.AverageBytes;
            TableFile.Execute(connection, TableSchema.CreateRows(TableSchema.Rows, shape.KeyLayout, average));
        }

        if (shape.KeyLayout != state.Shape?.KeyLayout)
            Align(shape, state);
        return _rows ??= new RowStatements(connection, TableSchema.Rows, interruption);
    }

    /// <summary>Converts integer keys to encoded ones when the first key of another type arrives.</summary>
    public void Align(RecordShape shape, TableState state)
    {
        if (state.Shape is not { KeyLayout: KeyLayout.Integer } || shape.KeyLayout == KeyLayout.Integer || !Exists)
            return;
        Release();
        DropView(state.Name);
        StageSql.EncodeKeys(connection, TableSchema.Rows);
        Show(state);
    }

    /// <summary>Releases the table, so that it can be altered.</summary>
    public void Release()
    {
        _rows?.Dispose();
        _rows = null;
    }

    public void DropView(string name) => TableFile.Execute(connection, $"DROP VIEW IF EXISTS {TableView.Quote(name)}");

    /// <summary>Removes the table with its view.</summary>
    public void Drop(string name)
    {
        Release();
        DropView(name);
        TableFile.Execute(connection, $"DROP TABLE IF EXISTS {TableSchema.Rows}");
    }

    /// <summary>Recreates the view and any missing indexes, if there are new fields or there is no view.</summary>
    /// <param name="state">The table's state to be committed.</param>
    /// <param name="committed">The state before.</param>
    public void ShowNew(TableState state, TableState committed)
    {
        if (Exists && (state.Fields.Count != committed.Fields.Count || committed.Shape is null || !HasView(state.Name)))
            Show(state);
    }

    /// <summary>Removes tombstones whose order value is below a horizon.</summary>
    /// <returns>How many were removed.</returns>
    public long DeleteTombstones(Cursor before, KeyLayout layout)
    {
        long removed = 0;
        var limit = OrderValue.FromNumber(System.Text.Encoding.ASCII.GetBytes(before.ToString()));
        long newest = 0;
        using var select = new Statement(connection, $"SELECT key, ord, seq FROM {TableSchema.Rows} WHERE gone <> 0");
        using var delete = new Statement(connection, $"DELETE FROM {TableSchema.Rows} WHERE key = ?1");
        while (select.Step())
        {
            if (OrderValue.Compare(StageSql.ReadOrder(select, 1, OrderKind.Number), limit) >= 0)
                continue;
            StageSql.CopyKey(select, 0, delete, 1, layout);
            delete.Execute();
            newest = Math.Max(newest, select.Integer(2));
            removed++;
        }

        if (removed > 0)
            ServingMark.ClearedUpTo(connection, newest);
        return removed;
    }

    /// <summary>The changes of a batch together with those of the records that went with their parents, in order of sequence.</summary>
    /// <param name="changes">The other changes, in order of sequence.</param>
    /// <param name="deleted">What went with parents, in that order too.</param>
    public IEnumerable<TableChange> WithDeleted(IReadOnlyList<TableChange> changes, IReadOnlyList<DeletedChildren> deleted)
    {
        var next = 0;
        foreach (var children in deleted)
        {
            using var row = new Statement(
                connection,
                $"SELECT key, seq, body FROM {TableSchema.Rows} WHERE key > ?1 AND key < ?2 AND seq > ?3 AND seq <= ?4 ORDER BY key"
            );
            row.BindBlob(1, children.Parent);
            row.BindBlob(2, KeyEncoding.EndOf(children.Parent));
            row.Bind(3, children.After);
            row.Bind(4, children.Last);
            while (row.Step())
            {
                var sequence = row.Integer(1);
                for (; next < changes.Count && changes[next].Sequence < sequence; next++)
                    yield return changes[next];
                yield return new TableChange(ChangeKind.Deleted, KeyEncoding.Read(row.Bytes(0)), sequence, row.Bytes(2).ToArray());
            }
        }

        for (; next < changes.Count; next++)
            yield return changes[next];
    }

    public void Dispose() => Release();

    private void Show(TableState state)
    {
        TableFile.Execute(connection, TableView.Create(state.Name, state.Fields, state.Shape?.KeyFields));
        SequenceIndex.Ensure(connection);
        FieldIndexes.Ensure(connection);
    }

    private bool HasView(string name)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND name = $name";
        command.Parameters.AddWithValue("$name", name);
        return command.ExecuteScalar() is > 0L;
    }
}
