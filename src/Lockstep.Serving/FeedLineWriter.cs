using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// Writes chunks of a feed and control rows to one client, through its filter, in slices: what the client has not taken is one slice of its
/// own, and the rest of a chunk that it may share with others.
/// </summary>
internal sealed class FeedLineWriter(
    PipeWriter output,
    FeedFilter? filter,
    IReadOnlyList<string> key,
    TimeProvider time,
    SendShare? share = null
) : IFeedWriter
{
    /// <summary>
    /// The most bytes written before they are sent, unless a single filtered line is longer: including chunk framing slightly less than 16
    /// KiB, since a client that does not read holds a buffer of the next power of two.
    /// </summary>
    public const int SliceBytes = 16 * 1024 - 256;

    /// <summary>Bytes written.</summary>
    public long Bytes { get; private set; }

    /// <summary>Rows written.</summary>
    public long Rows { get; private set; }

    /// <summary>Writes a chunk's rows, and sends all but the last slice; false if the filter left none.</summary>
    public async ValueTask<bool> WriteRowsAsync(FeedChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Lines.IsEmpty)
            return false;
        if (filter is not null)
            return await WriteFilteredAsync(filter, chunk, cancellationToken).ConfigureAwait(false);
        for (var rest = chunk.Lines; ; )
        {
            var slice = rest[..Math.Min(SliceBytes, rest.Length)];
            output.Write(slice.Span);
            Bytes += slice.Length;
            Rows += slice.Span.Count((byte)'\n');
            if (slice.Length == rest.Length)
                return true;
            rest = rest[slice.Length..];
            await FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Sends what was written.</summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await SendAsync(output, cancellationToken).ConfigureAwait(false);
        share?.Progress();
    }

    /// <summary>Writes the control row that says where the whole set continues.</summary>
    /// <param name="address">The page's address; in ASCII, without quotes or backslashes.</param>
    public void WritePage(string address) =>
        Bytes += Encoding.UTF8.GetBytes($"{{\"control\":true,\"type\":\"{WireNames.ResumeByPage}\",\"next\":\"{address}\"}}\n", output);

    public void WriteMark(FeedMark mark) =>
        Bytes += Encoding.UTF8.GetBytes($"{{\"control\":true,\"type\":\"mark\",\"mark\":\"{mark}\"}}\n", output);

    /// <summary>
    /// Sends what was written to a response. Once the client has disconnected nothing can be written, which shows here before the request's
    /// token says so.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public static async ValueTask SendAsync(PipeWriter output, CancellationToken cancellationToken)
    {
        if ((await output.FlushAsync(cancellationToken).ConfigureAwait(false)).IsCompleted)
            throw new OperationCanceledException("The client has gone.");
    }

    public void WriteCompleted(long since) => WriteControl("snapshot_completed", since);

    public void WriteHeartbeat(long? since) => WriteControl("heartbeat", since);

    public void WriteBlankLine()
    {
        output.Write("\n"u8);
        Bytes++;
    }

    /// <summary>Writes a control row; a null <paramref name="since"/> says nothing about the position.</summary>
    private void WriteControl(string type, long? since)
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
            // A filter that leaves out row after row sends nothing, and would not notice a cancellation.
            cancellationToken.ThrowIfCancellationRequested();
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
