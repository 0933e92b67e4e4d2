using System.Globalization;
using Lockstep.Engine.Sync;

namespace Lockstep.Sync;

/// <summary>What a new whole set would change, determined by reading it. One thread at a time.</summary>
internal sealed class ResyncPreview(SyncOptions options)
{
    private readonly Dictionary<Engine.Sync.DifferenceKind, int> _counts = [];
    private bool _removes;

    public IAsyncEnumerable<SyncStep> RunAsync(CancellationToken cancellationToken) =>
        new TableComparison(options).RunAsync(cancellationToken);

    public void Take(SyncStep step)
    {
        // If a feed never says where its set ends, records that it lacks are not removed (I6).
        if (step is SyncEnded { Result: var fetched })
            _removes = fetched.IsWholeSet;
        if (step is DifferenceFound { Difference.Kind: var kind })
            _counts[kind] = Count(kind) + 1;
    }

    /// <summary>The counts, to be appended to a sentence.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $": add {Count(Engine.Sync.DifferenceKind.Missing)}, update {Count(Engine.Sync.DifferenceKind.Different)}, "
                + $"remove {(_removes ? Count(Engine.Sync.DifferenceKind.Extra) : 0)} "
                + $"records{(_removes ? "" : "; where the feed's set ends is not said, so what it lacks stays")}"
        );

    private int Count(Engine.Sync.DifferenceKind kind) => _counts.GetValueOrDefault(kind);
}
