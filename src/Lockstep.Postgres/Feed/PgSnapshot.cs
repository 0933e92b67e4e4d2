using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// A snapshot as <c>pg_current_snapshot()</c> prints it, <c>xmin:xmax:xip</c>: it shows every transaction below <see cref="Xmax"/>
/// that is not listed as in progress. Ids are 64 bits wide and never wrap.
/// </summary>
internal sealed class PgSnapshot : IEquatable<PgSnapshot>, IFeedPosition<PgSnapshot>
{
    private readonly long[] _inProgress;

    private PgSnapshot(long xmin, long xmax, long[] inProgress)
    {
        Xmin = xmin;
        Xmax = xmax;
        _inProgress = inProgress;
    }

    /// <summary>The horizon: every transaction below it has ended, so a cursor at it has missed nothing.</summary>
    public long Xmin { get; }

    /// <inheritdoc/>
    public long Cursor => Xmin;

    /// <summary>
    /// The end of the server's log when the snapshot was taken: everything it shows, and everything that had ended, comes before.
    /// </summary>
    public FeedMark? Mark { get; private init; }

    /// <summary>One above the newest transaction that can be shown.</summary>
    public long Xmax { get; }

    /// <summary>The transactions in progress, all in [Xmin, Xmax), ascending.</summary>
    public ReadOnlySpan<long> InProgress => _inProgress;

    /// <summary>For a query parameter; not to be written to.</summary>
    internal long[] InProgressArray => _inProgress;

    /// <summary>
    /// The number of this process's reading of a view to which the snapshot belongs; 0 for none. What a view shows may change without a
    /// transaction.
    /// </summary>
    public long Look { get; private init; }

    /// <summary>This snapshot, as that of a reading of a view.</summary>
    public PgSnapshot At(long look) => new(Xmin, Xmax, _inProgress) { Look = look };

    /// <summary>Shows exactly the transactions below a cursor: the position of a client that resumes from it.</summary>
    public static PgSnapshot Below(long cursor) => new(cursor, cursor, []);

    /// <summary>Whether it shows a transaction.</summary>
    public bool Shows(long txid) => txid < Xmax && (txid < Xmin || Array.BinarySearch(_inProgress, txid) < 0);

    /// <summary>Whether it shows every transaction below one.</summary>
    public bool ShowsAllBelow(long txid) => txid <= Xmax && (_inProgress.Length == 0 || _inProgress[0] >= txid);

    /// <summary>
    /// The part of a snapshot taken during recovery that can be relied on: there the server tracks the transactions in progress elsewhere
    /// and prints none.
    /// </summary>
    public PgSnapshot WithoutUncertainty() => Below(Xmin);

    /// <summary>The same snapshot, with the end of the server's log.</summary>
    public PgSnapshot At(FeedMark? mark) => new(Xmin, Xmax, _inProgress) { Mark = mark };

    /// <summary>Whether the other snapshot shows every transaction that this one shows.</summary>
    public bool IsWithin(PgSnapshot other)
    {
        if (Look > 0 && other.Look > 0)
            return Look <= other.Look;

        // What the other hides below our xmax, we must hide as well: its list there, and everything from its xmax up.
        foreach (var txid in other._inProgress)
        {
            if (Shows(txid))
                return false;
        }

        if (Xmax <= other.Xmax)
            return true;
        var hidden = 0L;
        foreach (var txid in _inProgress)
        {
            if (txid >= other.Xmax)
                hidden++;
        }

        return hidden == Xmax - other.Xmax;
    }

    /// <summary>Everything: receiving a row twice does no harm.</summary>
    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => lines;

    /// <summary>Parses the server's form.</summary>
    /// <exception cref="FormatException">It is not that form.</exception>
    public static PgSnapshot Parse(string text) =>
        TryParse(text, out var snapshot) ? snapshot : throw new FormatException($"'{text}' is not a snapshot of the form xmin:xmax:xip.");

    /// <summary>Parses the server's form.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out PgSnapshot? snapshot)
    {
        snapshot = null;
        var parts = text?.Split(':');
        if (parts is not { Length: 3 } || !TryParseId(parts[0], out var xmin) || !TryParseId(parts[1], out var xmax) || xmin > xmax)
            return false;
        var list = parts[2].Length == 0 ? [] : parts[2].Split(',');
        var inProgress = new long[list.Length];
        for (var i = 0; i < list.Length; i++)
        {
            if (!TryParseId(list[i], out inProgress[i]))
                return false;
            if (inProgress[i] < (i == 0 ? xmin : inProgress[i - 1] + 1) || inProgress[i] >= xmax)
                return false;
        }

        snapshot = new PgSnapshot(xmin, xmax, inProgress);
        return true;
    }

    public bool Equals(PgSnapshot? other) =>
        other is not null
        && Look == other.Look
        && Xmin == other.Xmin
        && Xmax == other.Xmax
        && _inProgress.AsSpan().SequenceEqual(other._inProgress);

    public override bool Equals(object? obj) => Equals(obj as PgSnapshot);

    public override int GetHashCode() => HashCode.Combine(Xmin, Xmax, _inProgress.Length);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Xmin}:{Xmax}:{string.Join(',', _inProgress)}");

    private static bool TryParseId(string text, out long id) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);
}
