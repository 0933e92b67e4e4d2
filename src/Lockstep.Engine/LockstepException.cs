namespace Lockstep.Engine;

/// <summary>
/// The base of every error that Lockstep reports on purpose. <see cref="Kind"/> tells a program what it can do, <see cref="ErrorId"/> is
/// stable across versions, <see cref="Remedy"/> tells the user what to do next. No message carries a password or a token (I9).
/// </summary>
public abstract class LockstepException : Exception
{
    /// <summary>Creates the error with its kind, what happened and what to do about it.</summary>
    protected LockstepException(ErrorKind kind, string message, Remedy remedy, Exception? innerException = null)
        : base(Sentence(message), innerException)
    {
        Kind = kind;
        Remedy = remedy;
    }

    /// <summary>System messages such as "Connection refused" have no full stop, and more text may follow.</summary>
    private static string Sentence(string message) => message.Length > 0 && char.IsLetterOrDigit(message[^1]) ? message + "." : message;

    /// <summary>What a caller can do about it.</summary>
    public ErrorKind Kind { get; }

    /// <summary>A stable identifier of the cause, such as <c>FeedUnreachable</c>.</summary>
    public string ErrorId => GetType().Name.EndsWith("Exception", StringComparison.Ordinal) ? GetType().Name[..^9] : GetType().Name;

    /// <summary>What the user can do next; a front end renders it in its own words.</summary>
    public Remedy Remedy { get; }

    /// <summary>What the user can do next, as a sentence in this library's own words.</summary>
    public string RecommendedAction => Remedy.ToString();
}

/// <summary>An option's value is out of range, or options do not go together.</summary>
/// <param name="message">What is wrong, with the option as the user knows it.</param>
/// <param name="remedy">What to give instead.</param>
public sealed class InvalidOptionException(string message, Remedy remedy) : LockstepException(ErrorKind.InvalidArgument, message, remedy);
