using System.ComponentModel;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Announces a wrong Content-Length. Too long, and the connection ends before the body does; too short, and unrequested bytes follow.
/// for.
/// </summary>
[Description("Announces a wrong Content-Length.")]
public sealed class ContentLengthFault : Fault
{
    /// <summary>The length in bytes; null: the true one and <see cref="Delta"/>.</summary>
    [Description("The length in bytes. Default: the true one and Delta.")]
    public long? Length { get; init; }

    /// <summary>Added to the true length, which counts as 0 for an endless feed.</summary>
    [Description("Added to the true length (0 for an endless feed). Default: 1.")]
    public long Delta { get; init; } = 1;

    internal override string Describe() =>
        Length is { } length ? $"Announce a Content-Length of {length}" : $"Announce a Content-Length that is off by {Delta}";

    internal override void Apply(FaultedResponse response) => response.FalseLength = known => Length ?? Math.Max(0, (known ?? 0) + Delta);

    internal override void Validate()
    {
        base.Validate();
        if (Length < 0)
            throw new ArgumentException("Length must not be negative.");
    }
}
