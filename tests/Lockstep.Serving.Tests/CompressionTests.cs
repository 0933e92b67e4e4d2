using System.IO.Compression;
using System.Net;
using System.Text;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Serving.Tests;

/// <summary>Answers in the coding that a client asks for.</summary>
public sealed class CompressionTests
{
    private const string Page = "items/pages?feed=source-1&horizon=9";

    private static readonly HttpClient Client = new(new SocketsHttpHandler { AutomaticDecompression = DecompressionMethods.None });

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("", null)]
    [InlineData("gzip", "gzip")]
    [InlineData("gzip, deflate, br", "br")]
    [InlineData("gzip;q=0.8, br;q=0.5", "gzip")]
    [InlineData("deflate", null)]
    [InlineData("gzip;q=0, br;q=0", null)]
    [InlineData("gzip;q=x", null)]
    [InlineData("*", "br")]
    [InlineData("*;q=0.1, gzip", "gzip")]
    [InlineData("br;q=0, *", "gzip")]
    [InlineData("identity, gzip;q=0.5", null)]
    [InlineData("GZIP ; Q=0.5", "gzip")]
    [InlineData(";;,,q=", null)]
    public void The_best_coding_is_chosen(string accepted, string? coding) => Assert.Equal(coding, ContentCodings.Choose(accepted));

    [Theory]
    [InlineData("gzip")]
    [InlineData("br")]
    public async Task A_stream_is_compressed_and_each_chunk_arrives_when_it_is_sent(string coding)
    {
        var source = new ScriptedSource("items");
        source.Chunks.Add(
            ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, [.. Enumerable.Range(1, 500).Select(i => ScriptedSource.Row(i))])
        );
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotCompleted, 7));
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.CaughtUp, 9, ScriptedSource.Row(501)));
        await using var server = await StartAsync(source);
        using var response = await AskAsync(server, "items", coding);
        Assert.Equal(coding, response.Content.Headers.ContentEncoding.Single());
        Assert.Contains("Accept-Encoding", response.Headers.Vary);

        // The source then waits: what has been sent arrives although the body does not end.
        await using var packed = new CountingStream(await response.Content.ReadAsStreamAsync(Cancel));
        await using Stream plain =
            coding == "br" ? new BrotliStream(packed, CompressionMode.Decompress) : new GZipStream(packed, CompressionMode.Decompress);
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (!text.ToString().Contains("\"heartbeat\"", StringComparison.Ordinal))
        {
            var read = await plain.ReadAsync(buffer, Cancel);
            Assert.NotEqual(0, read);
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        Assert.Equal(503, text.ToString().Split('\n').Length - 1);
        Assert.InRange(packed.Count, 1, text.Length / 4);
    }

    [Fact]
    public async Task A_stream_that_is_cut_off_has_no_end()
    {
        var source = new ScriptedSource("items") { EndError = new FeedUnavailableException("gone", TimeSpan.FromSeconds(1)) };
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 0, ScriptedSource.Row(1)));
        await using var server = await StartAsync(source);
        using var response = await AskAsync(server, "items", "gzip");
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            await using var plain = new GZipStream(await response.Content.ReadAsStreamAsync(Cancel), CompressionMode.Decompress);
            await plain.CopyToAsync(Stream.Null, Cancel);
        });
    }

    [Theory]
    [InlineData("gzip", 400, "gzip")]
    [InlineData("br", 400, "br")]
    [InlineData("gzip", 1, null)]
    [InlineData("identity", 400, null)]
    public async Task A_page_is_compressed_unless_it_is_small_and_keeps_its_tag(string accepted, int rows, string? coding)
    {
        var source = new ScriptedSource("items") { Rows = rows };
        await using var server = await StartAsync(source);
        using var plain = await AskAsync(server, Page, "identity");
        using var response = await AskAsync(server, Page, accepted);
        Assert.Equal(coding, response.Content.Headers.ContentEncoding.SingleOrDefault());
        Assert.Equal(plain.Headers.ETag, response.Headers.ETag);
        Assert.Contains("Accept-Encoding", response.Headers.Vary);
        var body = await response.Content.ReadAsByteArrayAsync(Cancel);
        Assert.Equal(body.Length, response.Content.Headers.ContentLength);
        await using Stream decoded = coding switch
        {
            "br" => new BrotliStream(new MemoryStream(body), CompressionMode.Decompress),
            "gzip" => new GZipStream(new MemoryStream(body), CompressionMode.Decompress),
            _ => new MemoryStream(body),
        };
        var text = new MemoryStream();
        await decoded.CopyToAsync(text, Cancel);
        Assert.Equal(Rows(await plain.Content.ReadAsStringAsync(Cancel)), Rows(Encoding.UTF8.GetString(text.ToArray())));

        // The row at the end shows the time.
        static string[] Rows(string lines) => [.. lines.Split('\n').Where(l => !l.Contains("control", StringComparison.Ordinal))];
    }

    [Fact]
    public async Task Nothing_is_compressed_unless_told_nor_more_than_may_be_at_once()
    {
        await using (
            var server = await FeedServer.StartAsync([new ScriptedSource("items")], new FeedServerOptions(), cancellationToken: Cancel)
        )
        {
            using var response = await AskAsync(server, "items", "gzip");
            Assert.Empty(response.Content.Headers.ContentEncoding);
            Assert.Empty(response.Headers.Vary);
        }

        await using var compressing = await StartAsync(new ScriptedSource("items"));
        List<HttpResponseMessage> responses = [];
        for (var i = 0; i <= ContentCodings.Most; i++)
            responses.Add(await AskAsync(compressing, "items", "gzip"));
        Assert.Equal(ContentCodings.Most, responses.Count(r => r.Content.Headers.ContentEncoding.Count == 1));
        responses.ForEach(r => r.Dispose());

        // Those that disconnected make room.
        await Testing.Eventually.TrueAsync(async () =>
        {
            using var response = await AskAsync(compressing, "items", "gzip");
            return response.Content.Headers.ContentEncoding.Count == 1;
        });
    }

    private static Task<FeedServer> StartAsync(ScriptedSource source) =>
        FeedServer.StartAsync([source], new FeedServerOptions { Compress = true }, cancellationToken: Cancel);

    private static async Task<HttpResponseMessage> AskAsync(FeedServer server, string path, string accepted)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Uri, path));
        request.Headers.TryAddWithoutValidation("Accept-Encoding", accepted);
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
    }

    private sealed class CountingStream(Stream inner) : Stream
    {
        public long Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => Count;
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Count += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
