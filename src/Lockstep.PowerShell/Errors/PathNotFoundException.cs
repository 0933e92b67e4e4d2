using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A pattern that no file matches, or a path on a drive that there is not.</summary>
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

    /// <summary>What was asked for.</summary>
    public string Path { get; }
}
