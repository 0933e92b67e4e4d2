using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>How a table differs from its feed in one record.</summary>
public enum DifferenceKind
{
    /// <summary>The feed has it, the table does not.</summary>
    Missing = 1,

    /// <summary>The table has it, the feed does not.</summary>
    Extra = 2,

    /// <summary>Both have it, but it differs.</summary>
    Different = 3,
}

/// <summary>One record in which a table differs from its feed. Immutable.</summary>
/// <param name="Kind">The kind of difference.</param>
/// <param name="Key">The record's key.</param>
/// <param name="Expected">The feed's record as JSON in UTF-8; null if the feed has none.</param>
/// <param name="Actual">The table's record, likewise.</param>
public sealed record TableDifference(DifferenceKind Kind, RecordKey Key, ReadOnlyMemory<byte>? Expected, ReadOnlyMemory<byte>? Actual);

/// <summary>A difference; a step of <see cref="TableComparison"/>.</summary>
/// <param name="Difference">The difference.</param>
public sealed record DifferenceFound(TableDifference Difference) : SyncStep;

/// <summary>
/// Compares a table with its feed by reading both in full: the feed goes to a table file of its own, and both are walked side by side in
/// key order. If the feed changes meanwhile, the changes since the table was synced show up too.
/// </summary>
/// <param name="options">The table and its feed; the comparison itself decides where and how the records are stored.</param>
/// <param name="time">The clock; null for the system's.</param>
public sealed class TableComparison(SyncOptions options, TimeProvider? time = null)
{
    /// <summary>Runs the comparison, step by step: the steps of the sync that reads the feed, then the differences.</summary>
    /// <exception cref="LockstepException">The feed or the table cannot be read.</exception>
    public async IAsyncEnumerable<SyncStep> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var table = options.Store.GetFor(options.TableName, options.Feed.Address.TableNameFor(options.Foreign));
        var info = table.GetInfo();
        // A first load that was cut off may not have confirmed its feed's dialect, so the dialect is detected again.
        var isForeign = info.Foreign is not null || info.Dialect == Records.Dialect.Foreign;
        var folder = Directory.CreateTempSubdirectory("lockstep-compare-");
        try
        {
            var copy = new FileTableStore(Path.Combine(folder.FullName, "feed.db"));
            var fetch = new SyncOptions
            {
                Feed = options.Feed,
                Store = copy,
                TableName = info.Name,
                Dialect = isForeign ? Records.Dialect.Auto : info.Dialect,
                Foreign = info.Foreign?.Dialect,
                KeyFields =
                    isForeign ? null
                    : info.KeyFields.Count > 0 ? info.KeyFields
                    : options.KeyFields,
                OrderBy = isForeign ? null : info.OrderField ?? options.OrderBy,
                Settle = options.Settle,
                MaximumRecordSize = options.MaximumRecordSize,
                MaximumRetryCount = options.MaximumRetryCount,
                MalformedRecord = options.MalformedRecord,
                ToldOfDeletion = info.Foreign?.DeletionMark,
            };
            // If a feed may have had more than it sent, a record it did not send is not known to be missing.
            var isWhole = true;
            await foreach (var step in new TableSync(fetch, time).RunAsync(cancellationToken).ConfigureAwait(false))
            {
                if (step is SyncEnded { Result: var fetched })
                    isWhole = fetched.IsComplete || fetched.IsWholeSet;
                yield return step;
            }

            using var expected = copy.Table.Scan();
            using var actual = table.Read();
            bool hasExpected = expected.Read(),
                hasActual = actual.Read();
            while (hasExpected || hasActual)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var order =
                    !hasExpected ? 1
                    : !hasActual ? -1
                    : Compare(expected, actual);
                if (order == 0 && !expected.Json.SequenceEqual(actual.Json))
                {
                    yield return new DifferenceFound(
                        new TableDifference(DifferenceKind.Different, actual.Key, expected.Json.ToArray(), actual.Json.ToArray())
                    );
                }
                else if (order < 0)
                {
                    yield return new DifferenceFound(
                        new TableDifference(DifferenceKind.Missing, expected.Key, expected.Json.ToArray(), null)
                    );
                }
                else if (order > 0 && isWhole)
                {
                    yield return new DifferenceFound(new TableDifference(DifferenceKind.Extra, actual.Key, null, actual.Json.ToArray()));
                }

                if (order <= 0)
                    hasExpected = expected.Read();
                if (order >= 0)
                    hasActual = actual.Read();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Compare(RecordScan expected, IRecordScan actual) =>
        actual is RecordScan file ? expected.CompareKey(file) : expected.EncodedKey.SequenceCompareTo(actual.EncodedKey);
}
