namespace Lockstep.Serving;

/// <summary>A feed's identity as clients see it: the source's, qualified by the client's filter.</summary>
internal static class FeedName
{
    private const char Separator = '+';

    public static string Join(string source, string? filter) => filter is null ? source : source + Separator + filter;

    /// <summary>
    /// What the source should compare: its own part if the filter is the same, otherwise the whole, which matches no source.
    /// </summary>
    public static string? ForSource(string? header, string? filter)
    {
        if (string.IsNullOrEmpty(header))
            return null;
        var at = header.LastIndexOf(Separator);
        var (source, given) = at < 0 ? (header, null) : (header[..at], header[(at + 1)..]);
        return given == filter ? source : header + Separator;
    }
}
