using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>Writes chunks of a feed and control rows to one client, through its filter.</summary>
internal sealed class FeedLineWriter(PipeWriter output, FeedFilter? filter, IReadOnlyList<string> key, TimeProvider time)
{
    /// <summary>Bytes written.</summary>
    public long Bytes { get; private set; }

    /// <summary>Rows among them.</summary>
    public long Rows { get; private set; }

    /// <summary>Writes a chunk's rows; false when the filter left nothing of them.</summary>
    public bool WriteRows(FeedChunk chunk)
    {
        if (chunk.Lines.IsEmpty)
            return false;
        if (filter is null)
        {
            output.Write(chunk.Lines.Span);
            Bytes += chunk.Lines.Length;
            Rows += chunk.Lines.Span.Count((byte)'\n');
            return true;
        }

        var before = output.UnflushedBytes;
        for (var lines = chunk.Lines.Span; !lines.IsEmpty; )
        {
            var end = lines.IndexOf((byte)'\n');
            var written = output.UnflushedBytes;
            filter.Write(lines[..end], key, chunk.Kind == FeedChunkKind.SnapshotRows, output);
            if (output.UnflushedBytes > written)
                Rows++;
            lines = lines[(end + 1)..];
        }

        Bytes += output.UnflushedBytes - before;
        return output.UnflushedBytes > before;
    }

    /// <summary>Writes a control row; <paramref name="since"/> null says nothing about the position.</summary>
    public void WriteControl(string type, long? since)
    {
        var position = since is null ? "" : string.Create(CultureInfo.InvariantCulture, $",\"since\":{since}");
        var line = string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"control\":true,\"type\":\"{type}\",\"timestamp\":{time.GetUtcNow().ToUnixTimeSeconds()}{position}}}\n"
        );
        Bytes += Encoding.UTF8.GetBytes(line, output);
    }
}
