using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// Writes chunks of a feed and control rows to one client, through its filter, in slices: what the client has not taken is a slice of this
/// client's own, and the rest of a chunk that it may share with others.
/// </summary>
internal sealed class FeedLineWriter(
    PipeWriter output,
    FeedFilter? filter,
    IReadOnlyList<string> key,
    TimeProvider time,
    SendShare? share = null
)
{
    /// <summary>How many bytes are written at most before they are sent, unless one filtered line is more.</summary>
    public const int SliceBytes = 16 * 1024;

    /// <summary>Bytes written.</summary>
    public long Bytes { get; private set; }

    /// <summary>Rows among them.</summary>
    public long Rows { get; private set; }

    /// <summary>Writes a chunk's rows, and sends all but the last of them; false when the filter left nothing of them.</summary>
    public async ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Lines.IsEmpty)
            return false;
        if (filter is not null)
            return await WriteFilteredAsync(filter, chunk, cancellationToken).ConfigureAwait(false);
        Bytes += chunk.Lines.Length;
        Rows += chunk.Lines.Span.Count((byte)'\n');
        for (var rest = chunk.Lines; ; )
        {
            output.Write(rest.Span[..Math.Min(SliceBytes, rest.Length)]);
            if (rest.Length <= SliceBytes)
                return true;
            rest = rest[SliceBytes..];
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what was written.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        share?.Progress();
    }

    /// <summary>Writes the control row that says where the whole set goes on.</summary>
    /// <param name="address">The page's; of ASCII, without quotes and backslashes.</param>
    public void WritePage(string address) =>
        Bytes += Encoding.UTF8.GetBytes($"{{\"control\":true,\"type\":\"{WireNames.ResumeByPage}\",\"next\":\"{address}\"}}\n", output);

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

    private async ValueTask<bool> WriteFilteredAsync(FeedFilter filter, FeedChunk chunk, CancellationToken cancellationToken)
    {
        var before = Bytes;
        for (var lines = chunk.Lines; !lines.IsEmpty; )
        {
            var end = lines.Span.IndexOf((byte)'\n');
            var written = output.UnflushedBytes;
            filter.Write(lines.Span[..end], key, chunk.Kind == FeedChunkKind.SnapshotRows, output);
            if (output.UnflushedBytes > written)
                Rows++;
            Bytes += output.UnflushedBytes - written;
            lines = lines[(end + 1)..];
            if (output.UnflushedBytes >= SliceBytes)
                await FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        return Bytes > before;
    }
}
