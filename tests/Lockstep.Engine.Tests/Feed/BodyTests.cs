using System.IO.Compression;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>How a body is decoded, and that an incomplete one never counts as complete.</summary>
public sealed class BodyTests : SyncTest
{
    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    public async Task Compressed_bodies_are_decoded(string encoding)
    {
        await using var server = new RawServer(exchange =>
            exchange.BodyAsync(Compress(encoding, Many()), $"Content-Encoding: {encoding}\r\n")
        );

        await SyncRun.ToEndAsync(Options(server));

        Assert.Equal(2000, Info.Rows);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    public async Task A_compressed_body_streams(string encoding)
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync($"Content-Encoding: {encoding}\r\n");
            var pipe = new MemoryStream();
            await using var compressor = Compressor(encoding, pipe);
            await compressor.WriteAsync(Encoding.UTF8.GetBytes(Record(1, 1)));
            await compressor.FlushAsync();
            await exchange.SendAsync([.. Encoding.ASCII.GetBytes($"{pipe.Length:x}\r\n"), .. pipe.ToArray(), .. "\r\n"u8]);
            await exchange.StallAsync();
        });

        var run = await SyncRun.ToEndAsync(Options(server, settle: 0.5));

        Assert.Equal(1, run.Result.Added);
    }

    [Theory]
    [InlineData("gzip", false)]
    [InlineData("deflate", false)]
    [InlineData("br", false)]
    [InlineData("gzip", true)]
    [InlineData("deflate", true)]
    [InlineData("br", true)]
    [Trait("Invariant", "I6")]
    public async Task A_compressed_body_that_is_truncated_completes_nothing(string encoding, bool atFlush)
    {
        var whole = Compress(encoding, Many());
        var truncated = atFlush ? Flushed(encoding, Many()) : whole[..(whole.Length / 2)];
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Many()) : exchange.BodyAsync(truncated, $"Content-Encoding: {encoding}\r\n")
        );
        await SyncRun.ToEndAsync(Options(server));

        await Assert.ThrowsAnyAsync<FeedException>(() => SyncRun.ToEndAsync(Options(server, resync: true)));

        Assert.Equal(2000, Info.Rows);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    [Trait("Invariant", "I6")]
    public async Task Wherever_a_compressed_body_breaks_off_only_bytes_that_were_sent_come_out(string encoding)
    {
        var plain = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(1, 40).Select(i => Record(i, i))));
        var packed = Compress(encoding, Encoding.UTF8.GetString(plain));
        for (var length = 0; length <= packed.Length; length++)
        {
            await using var decoded = EncodedStream.Open(new MemoryStream(packed[..length]), encoding)!;
            var output = new MemoryStream();
            var error = await Xunit.Record.ExceptionAsync(() => decoded.CopyToAsync(output, Cancellation));

            Assert.True(plain.AsSpan().StartsWith(output.ToArray()), $"cut at {length}");
            if (length == packed.Length)
            {
                Assert.Null(error);
                Assert.Equal(plain.Length, output.Length);
            }
            else if (length > 0 || encoding == "br")
            {
                Assert.IsType<InvalidDataException>(error);
            }
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", "")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2328\r\n", "")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n", "\r\nxyz\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 64\r\n\r\n", "")]
    [Trait("Invariant", "I6")]
    public async Task A_body_that_is_not_as_its_head_says_is_cut_off(string head, string tail)
    {
        var record = Record(1, 1).TrimEnd().PadRight(63) + "\n";
        await using var server = new RawServer(exchange => exchange.SendAsync(head + record + tail));

        await SyncRun.ToErrorAsync<FeedCutException>(Options(server));
    }

    [Fact]
    public async Task A_content_length_that_is_too_short_ends_the_body_there()
    {
        await using var server = new RawServer(exchange =>
            exchange.SendAsync(
                $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {Record(1, 1).Length + 10}\r\n\r\n{Record(1, 1)}{Record(2, 2)}"
            )
        );

        await SyncRun.ToErrorAsync<TruncatedFeedException>(Options(server));

        Assert.Equal(["1"], Keys);
    }

    [Fact]
    public async Task A_body_that_ends_with_its_connection_is_read_to_its_end()
    {
        await using var server = new RawServer(exchange => exchange.SendAsync("HTTP/1.0 200 OK\r\n\r\n" + Record(1, 1) + Record(2, 2)));

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal((2L, "2"), (run.Result.Added, run.Result.Cursor.ToString()));
    }

    [Fact]
    public async Task An_encoding_that_is_not_known_is_an_error_that_names_it()
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Record(1, 1), "Content-Encoding: zstd\r\n"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedCutException>(Options(server));

        Assert.Contains("zstd", error.Message, StringComparison.Ordinal);
    }

    private static string Many() => string.Concat(Enumerable.Range(1, 2000).Select(i => Record(i, i)));

    private static Stream Compressor(string encoding, Stream target) =>
        encoding switch
        {
            "gzip" => new GZipStream(target, CompressionMode.Compress, leaveOpen: true),
            "deflate" => new ZLibStream(target, CompressionMode.Compress, leaveOpen: true),
            _ => new BrotliStream(target, CompressionMode.Compress, leaveOpen: true),
        };

    private static byte[] Compress(string encoding, string text)
    {
        var target = new MemoryStream();
        using (var compressor = Compressor(encoding, target))
            compressor.Write(Encoding.UTF8.GetBytes(text));
        return target.ToArray();
    }

    /// <summary>Half of the records, flushed and then cut off: every byte so far decodes.</summary>
    private static byte[] Flushed(string encoding, string text)
    {
        var target = new MemoryStream();
        using var compressor = Compressor(encoding, target);
        compressor.Write(Encoding.UTF8.GetBytes(text[..(text.IndexOf('\n', text.Length / 2) + 1)]));
        compressor.Flush();
        return target.ToArray();
    }
}
