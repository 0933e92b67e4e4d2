using System.Text;

namespace Lockstep.Bench.EndToEnd;

/// <summary>The feeds of the end-to-end runs, generated from a seed: the same bytes every time, and no data in the repository.</summary>
internal static class BenchFeed
{
    public static readonly string[] Names = ["F1", "F2", "F3"];

    /// <summary>
    /// F1: 1,000,000 records of about 80 bytes, 200,000 distinct ids at random, 5% tombstones. F2: 1,000,000 distinct ids in random
    /// order. F3: 100,000 records of 1 KB, nested.
    /// </summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="output">Where to write it.</param>
    /// <param name="most">Ends the feed after this many records.</param>
    public static void Write(string name, Stream output, int most = int.MaxValue)
    {
        var random = new Random(20261121);
        switch (name)
        {
            case "F1":
                for (var i = 0; i < Math.Min(most, 1_000_000); i++)
                    WriteSmall(output, random.Next(200_000), i, random.Next(20) == 0, random);
                break;
            case "F2":
                int[] ids = [.. Enumerable.Range(0, 1_000_000)];
                random.Shuffle(ids);
                for (var i = 0; i < Math.Min(most, ids.Length); i++)
                    WriteSmall(output, ids[i], i, false, random);
                break;
            case "F3":
                for (var i = 0; i < Math.Min(most, 100_000); i++)
                    WriteLarge(output, i, random);
                break;
            default:
                throw new ArgumentException($"There is no feed {name}; there are {string.Join(", ", Names)}.");
        }
    }

    private static void WriteSmall(Stream output, int id, int order, bool deleted, Random random)
    {
        var updatedAt = 10_000_000 + order;
        var deletedAt = deleted ? updatedAt.ToString(System.Globalization.CultureInfo.InvariantCulture) : "null";
        output.Write(
            Encoding.UTF8.GetBytes(
                $"{{\"id\":{id},\"updated_at\":{updatedAt},\"deleted_at\":{deletedAt},"
                    + $"\"ip\":\"10.{random.Next(256)}.{random.Next(256)}.{random.Next(256)}\",\"port\":{random.Next(65536)}}}\n"
            )
        );
    }

    private static void WriteLarge(Stream output, int id, Random random)
    {
        var text = new StringBuilder();
        text.Append(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{{\"id\":{id},\"updated_at\":{1_000_000 + id},\"deleted_at\":null,\"name\":\"host-{id}\",\"labels\":{{"
        );
        for (var i = 0; i < 8; i++)
        {
            if (i > 0)
                text.Append(',');
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\"label-{i}\":\"{random.NextInt64():x16}\"");
        }

        text.Append("},\"addresses\":[");
        for (var i = 0; i < 12; i++)
        {
            if (i > 0)
                text.Append(',');
            text.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $"{{\"ip\":\"10.{random.Next(256)}.{random.Next(256)}.{random.Next(256)}\",\"port\":{random.Next(65536)}}}"
            );
        }

        text.Append("],\"note\":\"");
        while (text.Length < 1020)
            text.Append((char)('a' + random.Next(26)));
        text.Append("\"}\n");
        output.Write(Encoding.UTF8.GetBytes(text.ToString()));
    }
}
