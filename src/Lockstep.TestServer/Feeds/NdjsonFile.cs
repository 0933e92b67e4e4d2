using System.Text;

namespace Lockstep.TestServer.Feeds;

/// <summary>Reads records from a file with one JSON object a line.</summary>
internal static class NdjsonFile
{
    /// <summary>Streams the lines; empty ones are skipped.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(string path)
    {
        foreach (var line in File.ReadLines(path))
        {
            if (!string.IsNullOrWhiteSpace(line))
                yield return Encoding.UTF8.GetBytes(line);
        }
    }
}
