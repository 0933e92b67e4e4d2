using System.Text.Json;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// The limit to compare with: SQLite's C interface fed from memory, one transaction, no network, no routing except the key and order that
/// correctness needs. It stands in for a C program: the calls are the same, and the library is the one that Lockstep ships.
/// </summary>
internal static class RawLoop
{
    private const string Sql =
        "INSERT INTO row(key, ord, gone, body) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET ord = excluded.ord, "
        + "gone = excluded.gone, body = excluded.body WHERE excluded.ord >= ord";

    public static void Run(string feed, string database, bool sorted)
    {
        var bytes = GC.AllocateUninitializedArray<byte>((int)new FileInfo(feed).Length, pinned: true);
        using (var file = File.OpenRead(feed))
            file.ReadExactly(bytes);
        var lines = Split(bytes);
        if (sorted)
            lines = [.. lines.OrderBy(line => line.Key)];

        SQLitePCL.Batteries_V2.Init();
        using var connection = new SqliteConnection($"Data Source={database};Pooling=False");
        connection.Open();
        Execute(
            connection,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; CREATE TABLE row(key INTEGER "
                + "PRIMARY KEY, ord INTEGER, gone INTEGER, body TEXT)"
        );

        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        Execute(connection, "BEGIN IMMEDIATE");
        using (var insert = new Statement(connection, Sql))
        {
            foreach (var line in lines)
            {
                insert.Bind(1, line.Key);
                insert.Bind(2, line.Order);
                insert.Bind(3, line.Gone ? 1 : 0);
                insert.BindPinnedText(4, bytes.AsSpan(line.Start, line.Length));
                insert.Execute();
            }
        }

        Execute(connection, "COMMIT");
        Console.WriteLine(
            System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds.ToString("R", System.Globalization.CultureInfo.InvariantCulture)
        );
    }

    /// <summary>Keys and order values are extracted before the clock starts: the loop is a limit, not a competitor.</summary>
    private static List<Line> Split(byte[] bytes)
    {
        var lines = new List<Line>();
        var start = 0;
        while (start < bytes.Length)
        {
            var length = bytes.AsSpan(start).IndexOf((byte)'\n');
            var reader = new Utf8JsonReader(bytes.AsSpan(start, length));
            long key = 0,
                order = 0;
            var gone = false;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                    continue;
                if (reader.ValueTextEquals("id"u8) && reader.Read())
                    key = reader.GetInt64();
                else if (reader.ValueTextEquals("updated_at"u8) && reader.Read())
                    order = reader.GetInt64();
                else if (reader.ValueTextEquals("deleted_at"u8) && reader.Read())
                    gone = reader.TokenType != JsonTokenType.Null;
            }

            lines.Add(new Line(key, order, gone, start, length));
            start += length + 1;
        }

        return lines;
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private readonly record struct Line(long Key, long Order, bool Gone, int Start, int Length);
}
