using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file's quarantine of malformed records, in the caller's transaction: one copy of the same bytes at the same offset, and no more
/// than the limit.
/// </summary>
internal static class Quarantine
{
    /// <summary>How many records it contains.</summary>
    public static long Count(SqliteConnection connection) => TableFile.Scalar(connection, "SELECT count(*) FROM lockstep_quarantine");

    /// <summary>Adds records, dropping the oldest to make room.</summary>
    /// <returns>How many were dropped.</returns>
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

/// <summary>Malformed bytes of a feed in quarantine. Immutable.</summary>
/// <param name="At">When they arrived.</param>
/// <param name="ByteOffset">Their offset in the body.</param>
/// <param name="Reason">What is wrong with them.</param>
/// <param name="Bytes">The bytes; only the first of them above the maximum size.</param>
public sealed record QuarantinedRecord(DateTimeOffset At, long ByteOffset, string Reason, ReadOnlyMemory<byte> Bytes);
