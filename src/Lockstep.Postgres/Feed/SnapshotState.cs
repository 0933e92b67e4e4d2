using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Lockstep.Engine.Records;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>What <see cref="StateSql"/> reports about a snapshot.</summary>
internal sealed record SnapshotState
{
    /// <summary>What it shows; on a replica, only what is certain.</summary>
    public required PgSnapshot Snapshot { get; init; }

    /// <summary>Whether the server is in recovery.</summary>
    public required bool IsReplica { get; init; }

    /// <summary>System, timeline, database and the table's epoch.</summary>
    public required string Server { get; init; }

    /// <summary>The server's log: system, timeline and database, without the table.</summary>
    public string Log => Server[..Server.IndexOf('-', StringComparison.Ordinal)];

    /// <summary>The server's timeline.</summary>
    public required int Timeline { get; init; }

    /// <summary>The table's facts; null if it does not exist.</summary>
    public required TableFacts? Facts { get; init; }

    /// <summary>
    /// The end of the server's log: everything that the snapshot shows comes before it. 0 on a replica, where everything shown is safe.
    /// </summary>
    public required long End { get; init; }

    /// <summary>How far the server's log had been flushed to disk.</summary>
    public required long Flushed { get; init; }

    /// <summary>The cursor below which tombstones are missing.</summary>
    public required long Floor { get; init; }

    /// <summary>About how many tombstones the table has; null if that was not asked, or it has none at all.</summary>
    public long? Tombstones { get; init; }

    /// <summary>Reads the query's row.</summary>
    public static SnapshotState Read(NpgsqlDataReader row)
    {
        var snapshot = PgSnapshot.Parse(row.GetString(1));
        var isReplica = row.GetBoolean(2);
        var end = row.IsDBNull(12) ? 0 : row.GetInt64(12);
        FeedMark? mark =
            (isReplica ? row.IsDBNull(17) : end == 0) ? null : new FeedMark(row.GetInt32(4), isReplica ? row.GetInt64(17) : end);
        return new SnapshotState
        {
            Snapshot = (isReplica ? snapshot.WithoutUncertainty() : snapshot).At(mark),
            IsReplica = isReplica,
            Server = string.Create(
                CultureInfo.InvariantCulture,
                $"{row.GetInt64(3)}.{row.GetInt32(4)}.{row.GetInt64(5)}-{row.GetInt64(8)}"
            ),
            Timeline = row.GetInt32(4),
            Facts = row.GetBoolean(6)
                ? new TableFacts(
                    row.GetString(7),
                    row.GetString(9),
                    row.GetString(10),
                    row.GetString(11),
                    row.GetInt64(16),
                    row.GetBoolean(15)
                )
                : null,
            End = end,
            Flushed = row.IsDBNull(13) ? 0 : row.GetInt64(13),
            Floor = row.GetInt64(14),
            Tombstones = row.IsDBNull(18) ? null : row.GetInt64(18),
        };
    }
}

/// <summary>
/// What a table's cursors depend on. Some things may be added without invalidating cursors: columns without a default, labels of an enum,
/// empty partitions. Each of those has a digest, in order of creation, so that additions can be told from changes. Immutable.
/// </summary>
/// <param name="Core">Everything else.</param>
/// <param name="Columns">Digests of columns.</param>
/// <param name="Labels">Digests of the labels of enums.</param>
/// <param name="Partitions">Digests of partitions.</param>
/// <param name="File">The table's file. It may change, but not together with the columns: a new column may have been filled.</param>
/// <param name="HasWake">Whether changes notify feeds; cursors do not depend on it.</param>
internal sealed record TableFacts(string Core, string Columns, string Labels, string Partitions, long File, bool HasWake)
{
    /// <summary>How many partitions there are.</summary>
    public int PartitionCount => Partitions.Length / StateSql.DigestLength;

    /// <summary>These facts as a part of a feed's identity.</summary>
    public string Fingerprint => Format(Columns.Length, Labels.Length, Partitions.Length, File);

    /// <summary>The number of partitions recorded in a fingerprint; null if the text is not a fingerprint.</summary>
    public static int? PartitionsOf(string fingerprint) =>
        fingerprint.Split('.') is [_, _, _, var count, _, _]
        && int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var n)
            ? n
            : null;

    /// <summary>The table's file at a fingerprint; null if it is none.</summary>
    public static long? FileOf(string fingerprint) =>
        fingerprint.Split('.') is [_, _, _, _, var file, _]
        && long.TryParse(file, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>
    /// How many partitions there were at an earlier fingerprint, if only additions distinguish it from these facts; otherwise null.
    /// </summary>
    public int? PartitionsAt(string fingerprint)
    {
        var parts = fingerprint.Split('.');
        Span<int> lengths = stackalloc int[3];
        ReadOnlySpan<int> all = [Columns.Length, Labels.Length, Partitions.Length];
        if (
            parts.Length != 6
            || parts[0] != Core
            || !long.TryParse(parts[4], NumberStyles.None, CultureInfo.InvariantCulture, out var file)
        )
        {
            return null;
        }

        for (var i = 0; i < lengths.Length; i++)
        {
            if (!int.TryParse(parts[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var count))
                return null;
            if (count > all[i] / StateSql.DigestLength)
                return null;
            lengths[i] = count * StateSql.DigestLength;
        }

        var isSame = (file == File || lengths[0] == Columns.Length) && Format(lengths[0], lengths[1], lengths[2], file) == fingerprint;
        return isSame ? lengths[2] / StateSql.DigestLength : null;
    }

    private string Format(int columns, int labels, int partitions, long file)
    {
        var whole = Encoding.UTF8.GetBytes($"{Columns[..columns]} {Labels[..labels]} {Partitions[..partitions]}");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Core}.{columns / StateSql.DigestLength}.{labels / StateSql.DigestLength}.{partitions / StateSql.DigestLength}."
                + $"{file}.{Convert.ToHexStringLower(SHA256.HashData(whole))[..8]}"
        );
    }
}
