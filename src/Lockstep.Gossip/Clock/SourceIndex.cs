namespace Lockstep.Gossip.Clock;

/// <summary>A source that a node knows.</summary>
/// <param name="Name">Its id.</param>
/// <param name="Number">Its place among the sources of the node, from 0.</param>
internal sealed record KnownSource(string Name, int Number);

/// <summary>
/// The sources that a node knows, numbered in order of arrival, so that its clocks and those of its peers need no names. Only sources of
/// applied updates or from the node's own file are added: what a peer merely names costs nothing here. Not safe for concurrent use: a node
/// uses it under its lock.
/// </summary>
internal sealed class SourceIndex
{
    /// <summary>
    /// How many bytes the sources may take in a header, which is one line: with the horizon it names each twice, and a peer accepts 16 MiB.
    /// </summary>
    public const int MaxBytes = 7_864_320;

    /// <summary>A time, two quotes, a colon and a comma.</summary>
    private const int BytesBesideName = 24;

    // References rather than values: those dictionaries and lists are precompiled with the framework, others are compiled again in each
    // process.
    private readonly Dictionary<string, KnownSource> _byName = new(StringComparer.Ordinal);
    private readonly List<KnownSource> _inOrder = [];

    /// <summary>
    /// The source looked up last: updates often arrive many at a time from one source, and comparing two equal ids costs less than hashing
    /// one.
    /// </summary>
    private KnownSource? _last;
    private long _bytes;

    public int Count => _inOrder.Count;

    public KnownSource this[int number] => _inOrder[number];

    public KnownSource? Find(string name)
    {
        var last = _last;
        if (last is not null && last.Name == name)
        {
            return last;
        }

        return _byName.TryGetValue(name, out var source) ? _last = source : null;
    }

    public KnownSource FindOrAdd(string name)
    {
        if (Find(name) is { } known)
        {
            return known;
        }

        var source = new KnownSource(name, _inOrder.Count);
        _byName.Add(name, source);
        _inOrder.Add(source);
        _bytes += BytesOf(name);
        return source;
    }

    /// <summary>Whether a source is known, or another one may be added.</summary>
    /// <param name="name">The source.</param>
    /// <param name="most">How many sources the node may know.</param>
    public bool Admits(string name, int most) => Find(name) is not null || (Count < most && _bytes + BytesOf(name) <= MaxBytes);

    /// <summary>An upper bound: characters that might have to be escaped are counted as escaped.</summary>
    private static long BytesOf(string name)
    {
        long bytes = BytesBesideName;
        foreach (var c in name)
        {
            bytes +=
                c is < ' ' or '"' or '\\' ? 6
                : c < 0x80 ? 1
                : 3;
        }

        return bytes;
    }
}
