using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The malformed records that a table file has set aside, within the caller's transaction: one copy of the same bytes at the same offset,
/// and no more than the limit.
/// </summary>
internal static class Quarantine
{
    /// <summary>How many there are.</summary>
    public static long Count(SqliteConnection connection) => TableFile.Scalar(connection, "SELECT count(*) FROM lockstep_quarantine");

    /// <summary>Adds records; the oldest make room for them.</summary>
    /// <returns>How many had to make room.</returns>
    public static long Add(SqliteConnection connection, IReadOnlyList<QuarantinedRecord> records, int limit)
    {
        using var insert = connection.CreateCommand();
        insert.CommandText = """
            INSERT INTO lockstep_quarantine(at, byte_offset, reason, bytes) SELECT $at, $offset, $reason, $bytes
                WHERE NOT EXISTS (SELECT 1 FROM lockstep_quarantine WHERE byte_offset = $offset AND bytes = $bytes)
            """;
        foreach (var record in records)
        {
            insert.Parameters.Clear();
            insert.Parameters.AddWithValue("$at", record.At.ToString("O", CultureInfo.InvariantCulture));
            insert.Parameters.AddWithValue("$offset", record.ByteOffset);
            insert.Parameters.AddWithValue("$reason", record.Reason);
            insert.Parameters.AddWithValue("$bytes", record.Bytes.ToArray());
            insert.ExecuteNonQuery();
        }

        using var delete = connection.CreateCommand();
        delete.CommandText =
            "DELETE FROM lockstep_quarantine WHERE id <= (SELECT id FROM lockstep_quarantine ORDER BY id DESC LIMIT 1 OFFSET $limit)";
        delete.Parameters.AddWithValue("$limit", limit);
        return delete.ExecuteNonQuery();
    }
}

/// <summary>A malformed stretch of a feed that was set aside. Immutable.</summary>
/// <param name="At">When it came.</param>
/// <param name="ByteOffset">Its offset in the body it came with.</param>
/// <param name="Reason">What is wrong with it.</param>
/// <param name="Bytes">Its bytes; for one above the maximum size, the first of them.</param>
public sealed record QuarantinedRecord(DateTimeOffset At, long ByteOffset, string Reason, ReadOnlyMemory<byte> Bytes);
