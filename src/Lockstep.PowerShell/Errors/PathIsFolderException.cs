using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A folder where a file is meant.</summary>
internal sealed class PathIsFolderException(string path)
    : LockstepException(
        ErrorKind.InvalidArgument,
        $"'{path}' is a folder. A table is a file.",
        "Name a file in it, such as -Path ./servers.db, or change to the folder with Set-Location and name the table."
    );
