namespace Lockstep.Engine;

/// <summary>The SQLite version that was loaded can lose commits, so no file is opened with it.</summary>
public sealed class SqliteVersionException : LockstepException
{
    internal SqliteVersionException(Version found, Version oldest)
        : base(
            ErrorKind.InvalidState,
            $"SQLite {found} can lose commits when several processes use a file; Lockstep needs {oldest} or newer.",
            $"Update the package with SQLite's native library (SQLite, or SourceGear.sqlite3) of the program that loads "
                + $"Lockstep, to {oldest} or newer."
        ) => Found = found;

    /// <summary>The version that was loaded.</summary>
    public Version Found { get; }
}
