namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file cannot be used: it is not a table file, cannot be read or written, or is on a file system where SQLite's log does not work.
/// </summary>
public sealed class TableFileException : LockstepException
{
    internal TableFileException(string path, string message, Remedy remedy, Exception? inner = null)
        : base(ErrorKind.FileUnusable, message, remedy, inner) => Path = path;

    /// <summary>The file's full path.</summary>
    public string Path { get; }
}

/// <summary>A table file is bound to another feed, or its records have another key, order field or dialect than requested.</summary>
public sealed class TableMismatchException : LockstepException
{
    internal TableMismatchException(string path, string message, Remedy remedy)
        : base(ErrorKind.TableMismatch, message, remedy) => Path = path;

    /// <summary>The file holds a table of another name than the caller gives.</summary>
    internal static TableMismatchException OfName(string path, string actual, string given) =>
        new(
            path,
            $"The file '{path}' holds the table '{actual}', not '{given}'.",
            $"Name another file with {Term.Path}, or leave {Term.Table} out."
        );

    /// <summary>The file's full path.</summary>
    public string Path { get; }
}

/// <summary>There is no such table.</summary>
public sealed class TableNotFoundException : LockstepException
{
    /// <summary>Creates the error.</summary>
    /// <param name="name">The table's name or path, as requested.</param>
    /// <param name="message">What was looked for, and where.</param>
    /// <param name="remedy">What to do next; names the candidates if there are any.</param>
    public TableNotFoundException(string name, string message, Remedy remedy)
        : base(ErrorKind.NotFound, message, remedy) => Name = name;

    /// <summary>The table's name or path, as requested.</summary>
    public string Name { get; }
}

/// <summary>Another sync is writing to the table.</summary>
public sealed class TableBusyException : LockstepException
{
    internal TableBusyException(string path, string holder)
        : this(
            path,
            holder,
            $"The table file '{path}' is being written by {holder}.",
            $"Wait for it to end, use {Term.Wait} to do so, or sync to another file with {Term.Path}."
        ) { }

    /// <summary>For a command that does not wait for writers.</summary>
    internal static TableBusyException WithoutWaiting(string path, string holder) =>
        new(
            path,
            holder,
            $"The table file '{path}' is being written by {holder}.",
            $"Stop that sync, or wait for it to end, and try again."
        );

    internal TableBusyException(string path, string holder, string message, Remedy remedy)
        : base(ErrorKind.TableBusy, message, remedy)
    {
        Path = path;
        Holder = holder;
    }

    /// <summary>The file's full path, or the store's name for the table.</summary>
    public string Path { get; }

    /// <summary>Who is writing: a process and since when, as far as known.</summary>
    public string Holder { get; }
}

/// <summary>
/// A filter is not a single read-only SQL expression over the table's fields, or names a field or parameter that does not exist.
/// </summary>
public sealed class FilterException : LockstepException
{
    internal FilterException(string filter, string message, Remedy remedy, Exception? inner = null)
        : base(ErrorKind.Filter, message, remedy, inner) => Filter = filter;

    /// <summary>The filter as given.</summary>
    public string Filter { get; }
}

/// <summary>A field is not in the table or cannot be indexed, or there are too many.</summary>
public sealed class FieldIndexException : LockstepException
{
    internal FieldIndexException(string field, string message, Remedy remedy)
        : base(ErrorKind.InvalidArgument, message, remedy) => Field = field;

    /// <summary>The field as given; empty if no single field is at fault.</summary>
    public string Field { get; }
}
