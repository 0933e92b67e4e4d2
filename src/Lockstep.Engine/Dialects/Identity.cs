namespace Lockstep.Engine.Dialects;

/// <summary>What a server reveals about itself that distinguishes one feed from another.</summary>
internal static class Identity
{
    /// <summary>The identity at the first of these places that has a value; null if none has.</summary>
    public static string? Of(IReadOnlyList<Place> places, IPlaces where)
    {
        var found = places.Select(place => where.Find(place)?.Text).Where(text => text is not null).Select(text => Stable(text!));
        var identity = string.Join(' ', found);
        return identity.Length == 0 ? null : identity;
    }

    /// <summary>Drops the tail of CouchDB's counters, which differs from one answer to the next even if nothing has changed.</summary>
    private static string Stable(string text)
    {
        var tail = text.IndexOf("-g1AAAA", StringComparison.Ordinal);
        return tail > 0 && text.AsSpan(0, tail).IndexOfAnyExceptInRange('0', '9') < 0 ? text[..tail] : text;
    }
}
