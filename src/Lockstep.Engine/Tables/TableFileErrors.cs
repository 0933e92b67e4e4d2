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
    private const int InputOutput = 10;

    /// <summary>No room for the index of the write-ahead log, which readers need too.</summary>
    private const int NoRoomForIndex = InputOutput | (19 << 8);

    /// <summary>ENOSPC, Linux's EDQUOT, and Windows' ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL, as .NET reports them.</summary>
    private static readonly int[] NoRoomCodes = [28, 122, unchecked((int)0x80070070), unchecked((int)0x80070027)];

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
            Full => NoRoom(path, e),
            InputOutput when e.SqliteExtendedErrorCode == NoRoomForIndex => NoRoom(path, e),
            InputOutput => new TableFileException(
                path,
                $"The table file '{path}' cannot be read or written: {e.Message}",
                "Check that its disk has room and is sound, and try again. If the file is damaged, put a backup in its place, or remove "
                    + "it and sync again.",
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

    /// <summary>The error of a file that the system does not let be written.</summary>
    public static TableFileException Unwritable(string path, Exception e) =>
        e is IOException && NoRoomCodes.Contains(e.HResult)
            ? NoRoom(path, e)
            : new TableFileException(
                path,
                $"The table file '{path}' cannot be written: {e.Message}",
                $"Choose a folder that exists and that you may write to, with {Term.Path}.",
                e
            );

    /// <summary>The error for a file whose record is not what a feed could have sent.</summary>
    public static TableFileException DamagedRecord(string path, RecordKey key, Exception? e = null) =>
        Damaged(path, $"the record with the key {ForeignText.Shorten(key.ToString())} is not a JSON object.", e);

    private static TableFileException NoRoom(string path, Exception e) =>
        new(path, $"There is no room left for the table file '{path}'.", "Free some space and try again; what was committed is kept.", e);

    /// <summary>The error for a file that contains what Lockstep does not write.</summary>
    public static TableFileException Damaged(string path, string reason, Exception? e) =>
        new(
            path,
            $"The table file '{path}' cannot be used: {reason}",
            "If it is damaged, put a backup in its place, or remove it and sync again.",
            e
        );
}
