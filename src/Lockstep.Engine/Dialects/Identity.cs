namespace Lockstep.Engine.Dialects;

/// <summary>What a server says about itself that distinguishes one feed from another.</summary>
internal static class Identity
{
    /// <summary>The identity at these places; null if none of them is there.</summary>
    public static string? Of(IReadOnlyList<Place> places, IPlaces where)
    {
        var found = places.Select(place => where.Find(place)?.Text).Where(text => text is not null).Select(text => Stable(text!));
        var identity = string.Join(' ', found);
        return identity.Length == 0 ? null : identity;
    }

    /// <summary>CouchDB's counters have a tail that differs from one answer to the next, though nothing has happened.</summary>
    private static string Stable(string text)
    {
        var tail = text.IndexOf("-g1AAAA", StringComparison.Ordinal);
        return tail > 0 && text.AsSpan(0, tail).IndexOfAnyExceptInRange('0', '9') < 0 ? text[..tail] : text;
    }
}
