using System.Management.Automation;

namespace Lockstep.Parameters;

/// <summary>How names are compared with a pattern.</summary>
internal static class PatternOptions
{
    /// <summary>Whatever their case, and the same in every culture: in Turkish, I is no capital i.</summary>
    public const WildcardOptions AnyCase = WildcardOptions.IgnoreCase | WildcardOptions.CultureInvariant;
}
