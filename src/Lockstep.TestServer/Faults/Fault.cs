using System.ComponentModel;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Something that a server does wrong on purpose. Immutable: it says what and to which requests; what a response under way needs is in the
/// stages that it adds to it. Faults compose: several that apply to one response each do their part.
/// </summary>
public abstract class Fault
{
    private protected Fault() { }

    /// <summary>
    /// Only this request, counted from 1 since the fault was added, of those that match <see cref="Path"/>. Null: all of them.
    /// </summary>
    [Description("Only the n-th request (or connection, for Tls), counted from 1 since the fault was added. Default: all.")]
    public int? Request { get; init; }

    /// <summary>How many requests it applies to at most; 1 is once. Null: no limit.</summary>
    [Description("The most requests that it affects; 1 is once. Default: no limit.")]
    public int? Times { get; init; }

    /// <summary>Only requests whose path (without the query) starts like this; ordinal. Null: every path.</summary>
    [Description("Only requests whose path starts with this. Default: every path.")]
    public string? Path { get; init; }

    /// <summary>What it does, in a sentence without a full stop.</summary>
    internal abstract string Describe();

    /// <summary>Takes part in a response that has not begun.</summary>
    internal abstract void Apply(FaultedResponse response);

    /// <summary>Why it can do nothing to the answers of a feed, as a clause; null if it can do something.</summary>
    internal virtual string? Misfit(IFeed feed) => null;

    /// <exception cref="ArgumentException">The parameters make no sense.</exception>
    internal virtual void Validate()
    {
        Positive(Request, nameof(Request));
        Positive(Times, nameof(Times));
    }

    /// <summary>What it does, and to which requests.</summary>
    public override string ToString()
    {
        var path = Path is null ? "" : $" of {Path}";
        var which = Request is { } number ? $", request {number}{path}" : $", every request{path}";
        return Describe() + which + (Times is { } times ? $", at most {times} times" : "");
    }

    private protected static void Positive(long? value, string name)
    {
        if (value < 1)
            throw new ArgumentException($"{name} must be at least 1, not {value}.");
    }

    private protected static void NotNegative(TimeSpan? value, string name)
    {
        if (value < TimeSpan.Zero)
            throw new ArgumentException($"{name} must not be negative.");
    }
}
