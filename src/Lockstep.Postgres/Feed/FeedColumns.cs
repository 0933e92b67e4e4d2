using Lockstep.Engine;

namespace Lockstep.Postgres.Feed;

/// <summary>Decides from a table's columns which ones its feed sends, and how the feed learns of changes.</summary>
internal static class FeedColumns
{
    private const string Deleted = "deleted";
    private const string TxidColumn = "txid";
    private const string CurrentXmin = "current_xmin";

    /// <summary>A tracked table: its tombstones record deletions, and every column but txid is data.</summary>
    public static TableDescription Tracked(TableName table, List<TableColumn> columns, TableTracking tracked)
    {
        CheckTxid(table, columns);
        var deleted = columns.Find(c => c.Name == Deleted && c.Type == "boolean");
        if (tracked.SoftDelete is null && (deleted ?? columns.Find(c => c.Name == CurrentXmin)) is { } odd)
        {
            throw new PostgresTableException(
                $"{table} was tracked by an earlier version, which left its column {odd.Name} out of records"
                    + (deleted is null ? "." : " and treated rows where it is true as deleted."),
                $"Declare once what the column is: {Term.EnableTracking.For(table.ToString())} makes it data like any other; "
                    + $"{Term.SoftDelete} keeps deleted as a mark. All clients of the feed then resync."
            );
        }

        var isMark = tracked.SoftDelete == true && deleted is not null;
        return Make(
            columns.Where(c => c.Name != TxidColumn && (c != deleted || !isMark)),
            ChangeSource.Tracked,
            isMark,
            isLockable: true
        ) with
        {
            Tombstones = tracked.Tombstones,
            TrackingId = tracked.Name,
            Notice = tracked.IsLax
                ? $"the triggers that track {table} no longer fire for rows written by logical replication or by pg_restore "
                    + $"--disable-triggers. Track the table again, so that they always fire."
                : null,
        };
    }

    /// <summary>
    /// An untracked table or view with a column txid, with or without a column deleted. What comes from a materialized view or a foreign
    /// table is compared as a whole: a refresh ignores txid, and another server's transactions have other numbers.
    /// </summary>
    /// <param name="table">Its name.</param>
    /// <param name="kind">Its kind in the catalog.</param>
    /// <param name="columns">Its columns.</param>
    /// <param name="unstamped">A materialized view or a foreign table that it is, reads or is a parent of; null if there is none.</param>
    public static TableDescription Untracked(TableName table, char kind, List<TableColumn> columns, string? unstamped)
    {
        if (kind is 'v' or 'm' or 'f' && !columns.Exists(c => c.Name == TxidColumn))
            return Make(columns, ChangeSource.SnapshotsOnly, hasDeleted: false, isLockable: kind == 'v');
        CheckTxid(table, columns);
        var deleted = columns.Find(c => c.Name == Deleted);
        if (deleted is not null && deleted.Type != "boolean")
        {
            throw new PostgresTableException(
                $"The column deleted of {table} is of type {deleted.Type}; a feed needs boolean.",
                "Serve a view that renames it; or track the table, which makes it a column like any other."
            );
        }

        var isByColumns = deleted is not null && unstamped is null;
        return Make(
            columns.Where(c => c.Name is not (TxidColumn or CurrentXmin or Deleted)),
            isByColumns ? ChangeSource.Tracked : ChangeSource.SnapshotsOnly,
            deleted is not null,
            isLockable: kind is 'r' or 'p' or 'v'
        ) with
        {
            Notice =
                isByColumns ? $"{table} is served by its own columns txid and deleted: its writers must maintain both."
                : deleted is not null && kind is 'r' or 'p' or 'v'
                    ? $"{table} has rows of {unstamped}, whose changes bear no stamp of this "
                        + $"server, so its rows are compared as a whole, in spite of its columns txid and deleted."
                : null,
        };
    }

    private static void CheckTxid(TableName table, List<TableColumn> columns)
    {
        var txid =
            columns.Find(c => c.Name == TxidColumn)
            ?? throw new PostgresTableException(
                $"{table} has no column txid, which shows changes.",
                (Remedy)(
                    $"Let Lockstep track the table: {Term.EnableTracking.For(table.ToString())} adds what it lacks, and "
                    + $"{Term.PlanTracking} shows how."
                )
            );
        if (txid.Type is not ("bigint" or "integer"))
        {
            throw new PostgresTableException(
                $"The column txid of {table} is of type {txid.Type}; a feed needs bigint.",
                "Serve a view that renames it."
            );
        }
    }

    private static TableDescription Make(IEnumerable<TableColumn> columns, ChangeSource changes, bool hasDeleted, bool isLockable) =>
        new()
        {
            Oid = 0,
            SqlName = "",
            Registry = false,
            Lockable = isLockable,
            Columns = [.. columns],
            Key = [],
            Pages = false,
            HasDeleted = hasDeleted,
            Enums = [],
            Composites = [],
            Tombstones = null,
            TrackingId = null,
            Changes = changes,
        };

    /// <summary>The key columns, in key order.</summary>
    /// <exception cref="PostgresTableException">The table lacks one of them.</exception>
    public static List<TableColumn> KeyOf(TableName table, List<TableColumn> columns, IReadOnlyList<string> names) =>
        [
            .. names.Select(name =>
                columns.Find(c => c.Name == name)
                ?? throw new PostgresTableException(
                    $"{table} has no column {name} to be its key.",
                    "Name one of its columns. If a tracked table's key was renamed, enable tracking again."
                )
            ),
        ];
}
