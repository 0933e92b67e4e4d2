using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A path leads to something that is no file system, such as the registry or a certificate store.</summary>
internal sealed class PathProviderException(string path, string provider)
    : LockstepException(
        ErrorKind.InvalidArgument,
        $"'{path}' belongs to the provider {provider}. A table is a file.",
        "Give a path of the file system, such as ./servers.db, or change to a folder with Set-Location."
    );
