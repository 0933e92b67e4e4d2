using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Dialects;

/// <summary>A dialect's description is wrong.</summary>
public sealed class DialectFormatException : LockstepException
{
    internal DialectFormatException(string name, string reason)
        : base(
            ErrorKind.InvalidArgument,
            $"The dialect '{name}' cannot be used: {reason}.",
            "Correct it; docs/DIALECTS.md has all that a dialect may say."
        ) { }
}

/// <summary>A server's answer is not what its dialect says.</summary>
public sealed class DialectException : FeedException
{
    internal DialectException(FeedUri feed, string dialect, string reason, Remedy? remedy = null)
        : base(
            ErrorKind.UnexpectedAnswer,
            feed,
            $"The feed {feed.Display} does not answer as its dialect '{dialect}' says: {reason}.",
            remedy ?? $"Check the URI and the credentials, or name another dialect with {Term.Dialect}."
        ) { }

    /// <inheritdoc/>
    public override bool IsTransient => false;
}

/// <summary>A whole set would empty the table, or more than halve it: that is more often a wrong answer than a true one.</summary>
public sealed class SetRefusedException : LockstepException
{
    internal SetRefusedException(string table, long swept, long rows)
        : base(
            ErrorKind.SweepRefused,
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"The whole set that came would remove {swept} of the {rows} records of the table '{table}', so nothing of it was applied."
            ),
            $"Check that the feed answers in full; if it does, sync once with {Term.Resync}."
        ) { }
}
