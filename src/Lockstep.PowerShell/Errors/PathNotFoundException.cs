using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>A pattern that no file matches.</summary>
internal sealed class PathNotFoundException(string pattern) : LockstepException(
    $"No file matches '{pattern}'.",
    "Check the pattern, or use -LiteralPath if the name itself holds *, ? or brackets.");
