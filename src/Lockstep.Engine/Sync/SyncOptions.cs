using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Engine.Sync;

/// <summary>What to do with a malformed record.</summary>
public enum MalformedRecordPolicy
{
    /// <summary>End with an error; what arrived before it is committed.</summary>
    Stop = 0,

    /// <summary>Set it aside in the table's quarantine, with its offset and the reason, and continue.</summary>
    Quarantine = 1,
}

/// <summary>How to sync a table. Immutable.</summary>
public sealed class SyncOptions
{
    /// <summary>How to reach the feed.</summary>
    public required FeedOptions Feed { get; init; }

    /// <summary>Where the table is kept; it is created if it does not exist.</summary>
    public required TableStore Store { get; init; }

    /// <summary>The table's name; null for that of an existing file, otherwise the feed's.</summary>
    public string? TableName { get; init; }

    /// <summary>The feed's dialect.</summary>
    public Dialect Dialect { get; init; }

    /// <summary>
    /// How another server's feed is read; null for the table's own record of that, otherwise for Lockstep's own dialects.
    /// </summary>
    public DialectDescription? Foreign { get; init; }

    /// <summary>Receives each request of another server's dialect, on the sync's own thread; null for none.</summary>
    public Action<DialectStep>? DialectObserver { get; init; }

    /// <summary>How long to wait between polls of another server's feed when following; null for the dialect's own interval.</summary>
    public TimeSpan? PollInterval { get; init; }

    /// <summary>The field that orders the records; null for <c>updated_at</c>, or that of an existing table.</summary>
    public string? OrderBy { get; init; }

    /// <summary>
    /// The key fields, or JSON Pointers to them (<c>/metadata/uid</c>) if they are nested in objects; null for those of an existing table,
    /// otherwise <c>id</c>, otherwise the first field.
    /// </summary>
    public IReadOnlyList<string>? KeyFields { get; init; }

    /// <summary>The cursor to start from instead of the stored one; null for the stored one.</summary>
    public string? Since { get; init; }

    /// <summary>Whether to continue when the feed has nothing more, forever or for <see cref="FollowFor"/>.</summary>
    public bool Follow { get; init; }

    /// <summary>How long to follow; null forever.</summary>
    public TimeSpan? FollowFor { get; init; }

    /// <summary>
    /// How long nothing must have changed the table for an endless feed to count as caught up; zero or more, default one second.
    /// </summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How many attempts may fail in a row before the sync fails; 0 for none. Null: any number when following, otherwise none. An attempt
    /// that committed a change, moved the cursor, or lasted at least 5 s and longer than <see cref="RetryInterval"/>, resets the count.
    /// </summary>
    public int? MaximumRetryCount { get; init; }

    /// <summary>
    /// The wait before another attempt, minus a random part of up to a fifth; it doubles with each failure in a row, up to a minute, but
    /// not while the server answers 503 and names a time. Zero or more, default 5 s.
    /// </summary>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether to fetch the whole set again, and remove the records it lacks.</summary>
    public bool Resync { get; init; }

    /// <summary>
    /// Whether to trust a whole set however much it removes, and to fetch an owed one before it is due
    /// (<see cref="SweepRefusedException"/>).
    /// </summary>
    public bool Force { get; init; }

    /// <summary>
    /// What percentage of a table of more than 20 records a whole set may remove if its end is uncertain, 0 to 100; stored with the table.
    /// Null for the stored value, initially 50. An empty set is trusted only at 100, however few records it would remove.
    /// </summary>
    public int? SweepLimit { get; init; }

    /// <summary>Whether a resync also repairs records whose stored order value is above the feed's: it ignores the stored ones.</summary>
    public bool Repair { get; init; }

    /// <summary>The field that an earlier warning has named as a possible deletion mark; null if none has.</summary>
    internal string? ToldOfDeletion { get; init; }

    /// <summary>
    /// How far before the cursor each connection starts, in the order field's own units, for feeds whose writers may be late. Zero or more;
    /// default zero.
    /// </summary>
    public decimal Lookback { get; init; }

    /// <summary>
    /// Whether to rebind a table of another feed to this one, which continues from the table's cursor unless it identifies itself as
    /// another. A feed that has only moved to another host or port, and names the identity that the table knows, needs no permission.
    /// </summary>
    public bool Rebind { get; init; }

    /// <summary>What to do with a malformed record.</summary>
    public MalformedRecordPolicy MalformedRecord { get; init; }

    /// <summary>
    /// How many malformed records the table's quarantine holds, at least 1; default 10,000. Beyond that the oldest are dropped, which a
    /// warning reports.
    /// </summary>
    public int QuarantineLimit { get; init; } = TableCommit.DefaultQuarantineLimit;

    /// <summary>The largest record in bytes, at least 2; default 16 MiB. A larger one is malformed (I8).</summary>
    public int MaximumRecordSize { get; init; } = FrameReader.DefaultMaximumLength;

    /// <summary>
    /// How much memory a process that only syncs may use, in bytes, at least 64 MiB: its buffers shrink accordingly. Null for the fastest
    /// buffers, which use up to 250 MB. A record as large as the limit exceeds it.
    /// </summary>
    public long? MemoryLimit { get; init; }

    /// <summary>Whether to wait until another writer of the file has ended, instead of failing.</summary>
    public bool WaitForWriter { get; init; }

    /// <summary>Whether <see cref="ChangesCommitted"/> is to list the changes.</summary>
    public bool WantsChanges { get; init; }

    /// <summary>Whether each version of a record is a separate change, instead of only the newest in each commit.</summary>
    public bool EveryVersion { get; init; }

    /// <summary>Whether <see cref="ChangesCommitted"/> is to list every record received.</summary>
    public bool WantsRecords { get; init; }

    /// <summary>Whether records are handed out to be rewritten before they are applied (<see cref="RecordsToTransform"/>).</summary>
    public bool Transforms { get; init; }

    /// <summary>Whether a token is requested at the start (<see cref="CredentialsNeeded"/>), not only when the feed refuses.</summary>
    public bool AsksForToken { get; init; }

    /// <summary>Whether the table is being served, so that commits must survive a power failure (I5).</summary>
    public bool IsServed { get; init; }

    /// <summary>
    /// Receives the run, each commit and the connection's events; event ids are stable. Called from any thread, one at a time. Default:
    /// none.
    /// </summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Checks each option against its valid range, including those of the feed.</summary>
    /// <param name="say">What a front end calls an option, as for <see cref="Remedy.Render"/>; null for the names of these
    /// properties.</param>
    /// <exception cref="InvalidOptionException">An option is out of range; the message names it.</exception>
    public void Validate(Func<string, string?, string>? say = null)
    {
        Feed.Validate(say);
        var check = new OptionCheck(say);
        var day = TimeSpan.FromDays(1);
        check.Time(PollInterval, Term.PollInterval, least: null, day);
        check.Time(FollowFor, Term.FollowFor, least: null, TimeSpan.FromDays(49));
        check.Time(Settle, Term.Settle, TimeSpan.Zero, day);
        check.Time(RetryInterval, Term.RetryInterval, TimeSpan.Zero, day);
        check.Number(MaximumRetryCount, Term.MaximumRetryCount, 0, int.MaxValue);
        check.Number(SweepLimit, Term.SweepLimit, 0, 100);
        check.Number(Lookback, Term.Lookback, 0, 1_000_000_000_000_000_000);
        check.Number(QuarantineLimit, Term.QuarantineLimit, 1, int.MaxValue);
        check.Number(MemoryLimit, Term.MemoryLimit, BufferSizes.LeastLimit, long.MaxValue);
        check.Number(MaximumRecordSize, Term.MaximumRecordSize, 2, 1 << 30);
        if (KeyFields is { } fields && (!fields.All(FieldPath.IsValid) || fields.Distinct(StringComparer.Ordinal).Count() < fields.Count))
            throw check.Wrong(Term.Key, "names of fields or JSON Pointers, each one once");
        if (OrderBy is "")
            throw check.Wrong(Term.OrderBy, "the name of a field");
    }

    /// <summary>
    /// A logger for a caller that cannot name the logger's type. Gets the message and whether it is a warning, from any thread, but not
    /// what the sync already reports as a step or as its error.
    /// </summary>
    internal Action<bool, string> LoggedTo
    {
        init =>
            Logger = new CallbackLogger(
                LogLevel.Debug,
                (level, message, _) => value(level >= LogLevel.Warning, message),
                id => !SyncLog.IsToldOtherwise(id)
            );
    }
}
