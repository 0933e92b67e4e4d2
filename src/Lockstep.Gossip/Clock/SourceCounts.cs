namespace Lockstep.Gossip.Clock;

/// <summary>The counts of a source's updates: see <see cref="GossipSeal"/>.</summary>
/// <param name="Top">The number of the newest.</param>
/// <param name="Missing">The numbers that its source has and this node never got.</param>
/// <param name="Whole">The newest timestamp up to which none is missing; null if none is missing at all.</param>
internal sealed record SourceCount(long Top, NumberRanges Missing, double? Whole);

/// <summary>
/// The numbers of each source's updates, which reveal to a node that one was withheld. Kept only for sources whose keys are known, so there
/// are no more of them than keys. Not safe for concurrent use: a node calls it under its lock.
/// </summary>
internal sealed class SourceCounts
{
    private static readonly SourceCount None = new(0, new NumberRanges(), null);
    private readonly Dictionary<string, SourceCount> _sources = new(StringComparer.Ordinal);

    public SourceCount this[string source] => _sources.GetValueOrDefault(source, None);

    /// <summary>The missing updates of each source that has any, in order of id.</summary>
    public IReadOnlyList<GossipMissing> List() =>
        [
            .. _sources
                .Where(static source => !source.Value.Missing.IsEmpty)
                .OrderBy(static source => source.Key, StringComparer.Ordinal)
                .Select(static source => new GossipMissing(source.Key, source.Value.Missing.Count, source.Value.Missing.ToString())),
        ];

    /// <summary>Whether an update is one of the missing ones.</summary>
    public bool Lacks(GossipUpdate update) =>
        update.Seal is { } seal && _sources.TryGetValue(update.Source, out var count) && count.Missing.Contains(seal.Number);

    /// <summary>Counts an update that is newer than all others of its source.</summary>
    /// <param name="update">The update.</param>
    /// <param name="before">The clock's entry before it.</param>
    /// <returns>Whether it reveals newly missing updates.</returns>
    public bool Note(GossipUpdate update, double before)
    {
        var seal = update.Seal!;
        var known = this[update.Source];

        // Nobody needs what the source no longer has. Numbers above this one are from a time when the source counted differently.
        var missing = known.Missing.IsEmpty ? known.Missing : known.Missing.Between(1, seal.Number - 1).KnownTo(seal.Present);
        var fresh = seal.Present.Between(known.Top + 1, seal.Number - 1);
        missing = fresh.IsEmpty ? missing : missing.Or(fresh);
        _sources[update.Source] = new SourceCount(seal.Number, missing, missing.IsEmpty ? null : known.Whole ?? before);
        return !fresh.IsEmpty;
    }

    /// <summary>A missing update has arrived.</summary>
    public void Fill(GossipUpdate update)
    {
        var known = this[update.Source];
        var missing = known.Missing.Copy();
        missing.Remove(update.Seal!.Number);
        _sources[update.Source] = known with { Missing = missing, Whole = missing.IsEmpty ? null : known.Whole };
    }

    public void Restore(string source, SourceCount count) => _sources[source] = count;

    public void Replace(SourceCounts other)
    {
        _sources.Clear();
        foreach (var (source, count) in other._sources)
        {
            _sources[source] = count;
        }
    }

    /// <summary>
    /// The time to show to peers: for a source with missing updates an earlier one than the clock's, so that they send everything since.
    /// </summary>
    public double ToAsk(string source, double timestamp) => this[source].Whole ?? timestamp;
}
