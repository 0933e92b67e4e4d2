using Lockstep.Engine.Records;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>Translates SQLite's errors about a table file into errors that say what to do.</summary>
internal static class TableFileErrors
{
    public const int CannotOpen = 14;
    public const int ReadOnlyDatabase = 8;
    public const int HotJournal = ReadOnlyDatabase | (3 << 8);

    private const int NotADatabase = 26;
    private const int Full = 13;

    /// <summary>The error to throw instead; null for an interruption, which is not an error.</summary>
    public static TableFileException? Explain(string path, SqliteException e) =>
        e.SqliteErrorCode switch
        {
            NotADatabase => new TableFileException(
                path,
                $"'{path}' is not an SQLite database.",
                $"Name another file with {Term.Path}; nothing was changed in this one.",
                e
            ),
            CannotOpen or ReadOnlyDatabase => new TableFileException(
                path,
                $"The table file '{path}' cannot be opened: {e.Message}",
                $"Check that the folder exists and that you may read and write in it, or choose another file with {Term.Path}.",
                e
            ),
            Full => new TableFileException(
                path,
                $"There is no room left for the table file '{path}'.",
                "Free some space and sync again; what was committed is kept.",
                e
            ),
            Native.NativeSqlite.Busy => new TableFileException(
                path,
                $"Another program holds the table file '{path}': {e.Message}",
                "End the other program's transaction and try again.",
                e
            ),
            Native.NativeSqlite.Interrupt => null,
            _ => Damaged(path, e.Message, e),
        };

    /// <summary>The error for a file whose record is not what a feed could have sent.</summary>
    public static TableFileException DamagedRecord(string path, RecordKey key, Exception? e = null) =>
        Damaged(path, $"the record with the key {ForeignText.Shorten(key.ToString())} is not a JSON object.", e);

    /// <summary>The error for a file that contains what Lockstep does not write.</summary>
    public static TableFileException Damaged(string path, string reason, Exception? e) =>
        new(
            path,
            $"The table file '{path}' cannot be used: {reason}",
            "If it is damaged, put a backup in its place, or remove it and sync again.",
            e
        );
}
