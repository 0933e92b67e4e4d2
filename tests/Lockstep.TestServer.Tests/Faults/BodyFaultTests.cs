using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Faults.Stages;
using static Lockstep.TestServer.Tests.Faults.FaultServer;

namespace Lockstep.TestServer.Tests.Faults;

/// <summary>Faults in records, bytes and framing of a body.</summary>
public sealed class BodyFaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Chunks_can_hold_one_byte_each()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RechunkFault());
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Equal(string.Concat((A + B + C).Select(c => $"1\r\n{c}\r\n")) + "0\r\n\r\n", rest);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1000)]
    public async Task Chunks_can_have_any_size(int size)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RechunkFault { Size = size });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.StartsWith(Math.Min(size, (A + B + C).Length).ToString("x", null) + "\r\n", rest, StringComparison.Ordinal);
        Assert.Equal(A + B + C, Unchunk(rest));
    }

    [Fact]
    public async Task Everything_can_be_one_chunk()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RechunkFault { Size = 0 });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Equal($"{(A + B + C).Length:x}\r\n{A + B + C}\r\n0\r\n\r\n", rest);
    }

    [Fact]
    public async Task An_endless_body_can_be_one_chunk_that_never_ends()
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new RechunkFault { Size = 0 });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            var expected = "10000000000\r\n" + A + B + C;
            Assert.Equal(expected, await client.ReadAsync(expected.Length, Cancelled));
            server.AddRecord(A);
            Assert.Equal(A, await client.ReadAsync(A.Length, Cancelled));
        }
    }

    [Fact]
    public async Task A_chunk_header_can_be_malformed()
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new ChunkHeaderFault { Chunk = 2, Text = "-1" });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(A, await client.ReadChunkAsync(Cancelled));
            Assert.Equal("-1\r\n" + B + "\r\n", await client.ReadAsync(6 + B.Length, Cancelled));
        }
    }

    [Fact]
    public async Task Garbage_is_framed_like_the_rest_of_the_body()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new GarbageFault { Text = "<html>", AtRecord = 1 });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Equal(A + "<html>" + B + C, Unchunk(rest));
    }

    [Fact]
    public async Task Garbage_can_stand_before_the_status_line_and_is_the_same_for_the_same_seed()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(
            new GarbageFault
            {
                Length = 5,
                Seed = 3,
                AtByte = 0,
                Of = ByteCount.Response,
            }
        );
        var first = await RawAsync(server);
        Assert.Equal("HTTP/1.1 200 OK\r\n", first.Substring(5, 17));
        Assert.Equal(first[..5], (await RawAsync(server))[..5]);
    }

    [Fact]
    public async Task A_truncated_body_ends_as_if_it_were_whole()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new TruncateFault { AtByte = A.Length + 5 });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Equal(A + B[..5], Unchunk(rest));
    }

    [Fact]
    public async Task An_endless_body_can_be_truncated_too()
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new TruncateFault { AtRecord = 2 });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Equal(A + B, Unchunk(rest));
    }

    [Theory]
    [InlineData(null, 1, A + A + B + B + C + C)]
    [InlineData(2, 2, A + B + B + B + C)]
    public async Task Records_can_come_more_than_once(int? at, int copies, string expected)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new DuplicateFault { AtRecord = at, Copies = copies });
        Assert.Equal(expected, Unchunk((await server.ReadAllAsync(Cancelled)).Body));
    }

    [Fact]
    public async Task Records_can_be_reversed_in_windows_and_the_last_window_may_be_short()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new ReorderFault());
        Assert.Equal(B + A + C, Unchunk((await server.ReadAllAsync(Cancelled)).Body));
    }

    [Fact]
    public async Task A_shuffle_keeps_every_record_and_repeats_with_its_seed()
    {
        await using var server = await StartAsync(Cancelled);
        server.AddRecords(Enumerable.Range(4, 30).Select(i => $$"""{"id":{{i}},"updated_at":{{i}}}"""));
        server.Faults.Add(new ReorderFault { Window = 33, Seed = 7 });
        var first = Unchunk((await server.ReadAllAsync(Cancelled)).Body)!.Split('\n');
        Assert.Equal(first, Unchunk((await server.ReadAllAsync(Cancelled)).Body)!.Split('\n'));
        server.Faults.Clear();
        var plain = (await server.ReadAllAsync(Cancelled, headers: "Connection: close\r\n")).Body.Split('\n');
        Assert.NotEqual(plain, first);
        Assert.Equal(plain.Order(StringComparer.Ordinal), first.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(1, 1, B + A + C)]
    [InlineData(1, 2, B + C + A)]
    [InlineData(3, 5, A + B + C)]
    public async Task A_late_record_comes_behind_later_ones(int at, int by, string expected)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new LateRecordFault { AtRecord = at, By = by });
        Assert.Equal(expected, Unchunk((await server.ReadAllAsync(Cancelled)).Body));
    }

    [Fact]
    public async Task Neighbours_can_share_an_order_value_and_keep_the_rest()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new EqualOrderFault());
        Assert.Equal(
            A + B.Replace("\"updated_at\":2", "\"updated_at\":1", StringComparison.Ordinal) + C,
            Unchunk((await server.ReadAllAsync(Cancelled)).Body)
        );
    }

    [Theory]
    [InlineData(HeartbeatShape.BlankLine, "\n")]
    [InlineData(HeartbeatShape.CrLf, "\r\n")]
    [InlineData(HeartbeatShape.Spaces, "   ")]
    [InlineData(HeartbeatShape.Object, "{\"heartbeat\":true}\n")]
    [InlineData(HeartbeatShape.BareObject, "{\"heartbeat\":true}")]
    public async Task Heartbeats_of_every_kind_stand_between_records(HeartbeatShape shape, string expected)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(
            new HeartbeatFault
            {
                Shape = shape,
                Every = 2,
                Count = 2,
            }
        );
        Assert.Equal(A + B + expected + expected + C, Unchunk((await server.ReadAllAsync(Cancelled)).Body));
    }

    [Fact]
    public async Task A_control_row_can_be_a_heartbeat()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new HeartbeatFault { Shape = HeartbeatShape.ControlRow, Every = 3 });
        var row = Unchunk((await server.ReadAllAsync(Cancelled)).Body)![(A + B + C).Length..];
        using var control = JsonDocument.Parse(row);
        Assert.Equal("heartbeat", control.RootElement.GetProperty("type").GetString());
    }

    [Theory]
    [InlineData(ContentCoding.Gzip, "gzip")]
    [InlineData(ContentCoding.Deflate, "deflate")]
    [InlineData(ContentCoding.Brotli, "br")]
    public async Task The_body_can_be_compressed(ContentCoding coding, string token)
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new CompressFault { Coding = coding });
        (var head, var rest) = await server.ReadAllAsync(Cancelled, headers: $"Accept-Encoding: x, {token};q=0.5\r\n");
        Assert.Contains($"Content-Encoding: {token}\r\n", head, StringComparison.Ordinal);
        Assert.Equal(A + B + C, Decompress(coding, Unchunk(rest)!));
    }

    [Fact]
    public async Task A_compressed_endless_body_can_be_read_as_far_as_it_came()
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new CompressFault { Forced = true });
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Contains("Content-Encoding: gzip\r\n", head, StringComparison.Ordinal);
            var first = await client.ReadChunkAsync(Cancelled);
            Assert.Equal(A + B + C, Decompress(ContentCoding.Gzip, first));
            server.AddRecord(A);
            Assert.Equal(A + B + C + A, Decompress(ContentCoding.Gzip, first + await client.ReadChunkAsync(Cancelled)));
        }
    }

    [Fact]
    public async Task Who_does_not_ask_for_compression_gets_none_unless_it_is_forced()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new CompressFault());
        (var head, var rest) = await server.ReadAllAsync(Cancelled, headers: "Accept-Encoding: br\r\n");
        Assert.DoesNotContain("Content-Encoding", head, StringComparison.Ordinal);
        Assert.Equal(A + B + C, rest);
    }

    private static string Decompress(ContentCoding coding, string latin1)
    {
        MemoryStream bytes = new(Encoding.Latin1.GetBytes(latin1));
        using Stream plain = coding switch
        {
            ContentCoding.Gzip => new GZipStream(bytes, CompressionMode.Decompress),
            ContentCoding.Deflate => new ZLibStream(bytes, CompressionMode.Decompress),
            _ => new BrotliStream(bytes, CompressionMode.Decompress),
        };
        // What was flushed can be read; what follows has not arrived, which some decoders consider an error.
        var text = new byte[10_000];
        var length = 0;
        try
        {
            for (int read; (read = plain.Read(text, length, text.Length - length)) > 0; )
                length += read;
        }
        catch (InvalidDataException) { }
        return Encoding.UTF8.GetString(text, 0, length);
    }

    private static async Task<string> RawAsync(LockstepTestServer server)
    {
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        return await client.ReadToEndAsync(Cancelled);
    }
}
