using System.Globalization;
using Lockstep.Engine;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tables;

/// <summary>Another sync has taken over the table that this one was writing; what this one committed is kept.</summary>
public sealed class TableLeaderException : TableStoreException
{
    internal TableLeaderException(string table)
        : base(ErrorKind.TableTakenOver, $"Another sync has taken over {table}.", "Nothing is lost. Sync again to wait for your turn.") { }
}

/// <summary>The database that keeps a table cannot be reached, or the connection was lost.</summary>
public sealed class TableStoreUnavailableException : TableStoreException
{
    internal TableStoreUnavailableException(string table, string reason, Exception inner)
        : base(
            ErrorKind.Unavailable,
            $"PostgreSQL cannot keep {table} at the moment: {reason}",
            "Repair the database and sync again; what was committed is kept, and the sync resumes from there.",
            inner
        ) { }
}

/// <summary>
/// The database that keeps a table has gone back to an earlier state: it was restored from a backup, or replaced by a standby that had not
/// received everything.
/// </summary>
public sealed class TableSetBackException : TableStoreException
{
    internal TableSetBackException(string table, long now, long seen)
        : base(
            ErrorKind.TableSetBack,
            FormattableString.Invariant($"{table} was set back: it is at change {now}, but change {seen} had already been seen."),
            $"Read all records, then watch again with {Term.Since} {now}; the changes after {now} are gone, or "
                + $"will come again under the same numbers."
        ) { }
}

/// <summary>A table in PostgreSQL holds what Lockstep does not write: somebody has changed it by hand.</summary>
public sealed class TableDamagedException : TableStoreException
{
    internal TableDamagedException(string table, string what, Exception inner)
        : base(
            ErrorKind.FileUnusable,
            $"{char.ToUpperInvariant(table[0])}{table[1..]} cannot be used: {what} is damaged.",
            "Restore the database from a backup, or sync to a table of another name.",
            inner
        ) { }

    internal TableDamagedException(string table, InvalidDataException inner)
        : this(table, "the key of a record", inner) { }
}

/// <summary>
/// A table in PostgreSQL was written by a newer Lockstep, whose format this one does not know. Nothing was changed in it.
/// </summary>
public sealed class TableFormatException : LockstepException
{
    internal TableFormatException(string table, long format, int known)
        : base(
            ErrorKind.FileUnusable,
            string.Create(
                CultureInfo.InvariantCulture,
                $"The table '{table}' was written by a newer Lockstep (format {format}, this one reads up to {known}). "
                    + $"Nothing was changed in it."
            ),
            "Update Lockstep, or sync to a table of another name."
        ) { }
}
