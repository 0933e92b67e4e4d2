using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A pattern that no file matches, or a path on a drive that does not exist.</summary>
internal sealed class PathNotFoundException : LockstepException
{
    public PathNotFoundException(string pattern)
        : this(
            pattern,
            $"No file matches '{pattern}'.",
            "Check the pattern, or use -LiteralPath if the name itself holds *, ? or brackets."
        ) { }

    public PathNotFoundException(string path, string message, Remedy remedy)
        : base(ErrorKind.NotFound, message, remedy) => Path = path;

    /// <summary>The pattern or path.</summary>
    public string Path { get; }
}

/// <summary>A folder where a file is expected.</summary>
internal sealed class PathIsFolderException(string path)
    : LockstepException(
        ErrorKind.InvalidArgument,
        $"'{path}' is a folder. A table is a file.",
        "Name a file in it, such as -Path ./servers.db, or change to the folder with Set-Location and name the table."
    );

/// <summary>A path leads outside the file system, such as to the registry or a certificate store.</summary>
internal sealed class PathProviderException(string path, string provider)
    : LockstepException(
        ErrorKind.InvalidArgument,
        $"'{path}' belongs to the provider {provider}. A table is a file.",
        "Give a path of the file system, such as ./servers.db, or change to a folder with Set-Location."
    );
