namespace Lockstep.Engine;

/// <summary>
/// The base of every error that Lockstep reports on purpose. Each cause that a caller can act on has a type of its own;
/// <see cref="ErrorId"/> is stable across versions, <see cref="RecommendedAction"/> tells the user what to do next.
/// No message carries a password or a token (I9).
/// </summary>
public abstract class LockstepException : Exception
{
    /// <summary>Creates the error with what happened and what to do about it.</summary>
    protected LockstepException(string message, string recommendedAction, Exception? innerException = null)
        : base(message, innerException)
    {
        RecommendedAction = recommendedAction;
    }

    /// <summary>A stable identifier of the cause, such as <c>FeedUnreachable</c>.</summary>
    public string ErrorId => GetType().Name.EndsWith("Exception", StringComparison.Ordinal) ? GetType().Name[..^9] : GetType().Name;

    /// <summary>
    /// What the user can do next, as a sentence. Options are named as the PowerShell module names them, such as <c>-Resync</c>;
    /// a front end that calls them otherwise puts its own names in their place.
    /// </summary>
    public string RecommendedAction { get; }
}
