using System.Globalization;
using System.Text.Json;

namespace Lockstep.Staging;

/// <summary>
/// Holds what the module is made of against <c>build/known-holes.json</c>: each entry names a component and the first version in which a
/// hole is closed. Who looks at its sources sets its date.
/// </summary>
internal static class KnownHoles
{
    /// <summary>How old a look may be before it is asked for again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromDays(60);

    /// <summary>What is wrong.</summary>
    /// <param name="list">The list of holes.</param>
    /// <param name="bill">The module's <see cref="BillOfMaterials"/>.</param>
    /// <param name="today">The date.</param>
    /// <returns>What an operator should know.</returns>
    /// <exception cref="StagingException">A component has a known hole.</exception>
    public static IEnumerable<string> Check(string list, string bill, DateTime today)
    {
        using var known = JsonDocument.Parse(File.ReadAllBytes(list));
        using var parts = JsonDocument.Parse(File.ReadAllBytes(bill));
        var found = (
            from part in parts.RootElement.GetProperty("components").EnumerateArray()
            from hole in known.RootElement.GetProperty("holes").EnumerateArray()
            where Text(part, "name") == Text(hole, "component") && IsBefore(Text(part, "version"), Text(hole, "fixedIn"))
            select $"{Text(part, "name")} {Text(part, "version")} has {Text(hole, "id")} ({Text(hole, "what")}), closed in "
                + $"{Text(hole, "fixedIn")}."
        ).ToArray();
        if (found.Length > 0)
            throw new StagingException(string.Join(" ", found) + " Update the SDK or the package, and stage again.");

        var date = DateTime.ParseExact(Text(known.RootElement, "checked"), "yyyy-MM-dd", CultureInfo.InvariantCulture);
        return today - date > Patience
            ? [$"{list} was last checked on {date:yyyy-MM-dd}. Look at its sources, add what is new, and set its date."]
            : [];
    }

    /// <summary>Whether a version is older than another; a preview is older than its release.</summary>
    internal static bool IsBefore(string version, string other)
    {
        var (left, right) = (Split(version), Split(other));
        var order = left.Number.CompareTo(right.Number);
        return order < 0 || (order == 0 && left.IsPreview && !right.IsPreview);
    }

    private static (Version Number, bool IsPreview) Split(string version)
    {
        var dash = version.IndexOf('-', StringComparison.Ordinal);
        return (Version.Parse(dash < 0 ? version : version[..dash]), dash >= 0);
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
