using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>How names are matched with a pattern.</summary>
internal static class PatternOptions
{
    /// <summary>Ignoring case, and the same in every culture: in Turkish, I is not a capital i.</summary>
    public const WildcardOptions AnyCase = WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant;
}
