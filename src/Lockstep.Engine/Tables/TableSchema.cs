using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The layout of a table file. One file contains one table: its records in <c>lockstep_row</c>, its description in the single row of
/// <c>lockstep_table</c>, and a view named like the table with a column per field, for any other SQLite tool.
/// </summary>
/// <remarks>
/// A record is stored as the JSON text that the feed sent: typed columns take 0.7 times as long again to write. An integer key is the
/// rowid. Other keys are bytes that sort in key order (<see cref="KeyEncoding"/>). <c>seq</c> is the number of a record's last change and
/// <c>born</c> that of the change that added it, so that someone who reads changes later can tell the two apart. There is an index on
/// <c>seq</c> only if the table is served (<see cref="SequenceIndex"/>): it doubles the cost of every write, and otherwise reading by it
/// sorts on demand.
/// </remarks>
internal static class TableSchema
{
    /// <summary>"LkSt": identifies a Lockstep file among SQLite files.</summary>
    public const int ApplicationId = 0x4C6B5374;

    public const string Rows = "lockstep_row";

    public const string Stage = "lockstep_stage";

    private const string FeedEnding = "feed_ending INTEGER NOT NULL DEFAULT 0";
    private const string Owed = "owed TEXT";
    private const string SweepLimit = "sweep_limit INTEGER";
    private const string LoadPage = "load_page TEXT";

    /// <summary>The columns of <c>lockstep_table</c> that files of an earlier format may lack, each with its declaration.</summary>
    public static IReadOnlyList<string> LaterColumns { get; } = [FeedEnding, Owed, SweepLimit, LoadPage];

    /// <summary>Finds the same bytes at the same offset; files of an earlier format lack it.</summary>
    public const string QuarantineIndex = "CREATE INDEX IF NOT EXISTS lockstep_quarantine_place ON lockstep_quarantine(byte_offset)";

    public const string Tables = $"""
        CREATE TABLE lockstep_table(
            name TEXT NOT NULL, feed TEXT, dialect INTEGER NOT NULL DEFAULT 0,
            key_fields TEXT, key_kinds TEXT, key_layout INTEGER NOT NULL DEFAULT 0,
            order_field TEXT, order_kind INTEGER NOT NULL DEFAULT 0, fields TEXT NOT NULL DEFAULT '[]',
            cursor TEXT NOT NULL DEFAULT '0', resume TEXT, feed_identity TEXT,
            rows INTEGER NOT NULL DEFAULT 0, tombstones INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 0,
            horizon TEXT, last_sync TEXT, {FeedEnding}, {Owed}, {SweepLimit}, {LoadPage});
        CREATE TABLE lockstep_quarantine(
            id INTEGER PRIMARY KEY, at TEXT NOT NULL, byte_offset INTEGER NOT NULL, reason TEXT NOT NULL, bytes BLOB NOT NULL);
        {QuarantineIndex};
        """;

    /// <summary>Records of at least this average size go into a table with rowids: in one without, they would overflow its pages.</summary>
    private const int LargeBody = 400;

    /// <summary>The table of records, or its twin in which a snapshot is built.</summary>
    /// <param name="table"><see cref="Rows"/> or <see cref="Stage"/>.</param>
    /// <param name="layout">How keys are stored.</param>
    /// <param name="averageBody">The records' average size in bytes, as far as known.</param>
    public static string CreateRows(string table, KeyLayout layout, int averageBody)
    {
        var key = layout == KeyLayout.Integer ? "INTEGER PRIMARY KEY" : "BLOB NOT NULL PRIMARY KEY";
        var without = layout == KeyLayout.Encoded && averageBody < LargeBody ? " WITHOUT ROWID" : "";
        return $"CREATE TABLE {table}(key {key}, seq INTEGER NOT NULL, born INTEGER NOT NULL, ord, txid INTEGER, gone INTEGER NOT "
            + $"NULL, body TEXT NOT NULL){without}";
    }
}

/// <summary>Whether a stored record is present or deleted, as in the column <c>gone</c>.</summary>
internal enum RowState
{
    Live = 0,

    /// <summary>The feed deleted it.</summary>
    Deleted = 1,

    /// <summary>A snapshot no longer contained it; a record at the stored order value replaces it (I6).</summary>
    Swept = 2,
}
