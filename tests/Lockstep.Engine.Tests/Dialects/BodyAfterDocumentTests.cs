using System.IO.Compression;
using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A body that goes on, or is cut off, after its JSON document has closed.</summary>
public sealed class BodyAfterDocumentTests : DialectTest
{
    private const string Before = """[{"id":1},{"id":2},{"id":3}]""";
    private const string After = """[{"id":1},{"id":2}]""";

    public enum Cut
    {
        Checksum,
        Length,
        LastChunk,
        Silence,
    }

    [Theory]
    [InlineData(Cut.Checksum)]
    [InlineData(Cut.Length)]
    [InlineData(Cut.LastChunk)]
    [InlineData(Cut.Silence)]
    public async Task A_body_that_is_cut_off_after_its_document_is_no_whole_set(Cut cut)
    {
        await using var server = new RawServer(exchange =>
            exchange.Number == 1 ? exchange.BodyAsync(Before)
            : exchange.Number == 2 ? SendAsync(exchange, cut)
            : exchange.BodyAsync(After)
        );

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        await SyncRun.ToErrorAsync<FeedCutException>(Impatient(server));
        Assert.Equal(["1", "2", "3"], SyncRun.Read(TablePath).Keys.Order());

        var whole = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));
        Assert.Equal((SyncOutcome.Complete, 1), (whole.Result.Outcome, whole.Result.Deleted));
    }

    [Fact]
    public async Task White_space_may_follow_the_document_and_its_end_counts()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(After);
            await exchange.ChunkAsync("\r\n" + new string(' ', 100_000));
            await exchange.LastChunkAsync();
        });

        var run = await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal((SyncOutcome.Complete, 2), (run.Result.Outcome, run.Result.Added));
    }

    [Fact]
    public async Task White_space_without_an_end_is_an_error()
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.ChunkedAsync();
            await exchange.ChunkAsync(After);
            while (true)
                await exchange.ChunkAsync(new string(' ', 100_000));
        });

        var (error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", "Rest"));

        Assert.Contains("does not end after its JSON", error.Message, StringComparison.Ordinal);
    }

    private SyncOptions Impatient(RawServer server) =>
        new()
        {
            Feed = new FeedOptions { Uri = new Uri(server.Root, "items"), OperationTimeout = TimeSpan.FromSeconds(2) },
            Store = new FileTableStore(TablePath),
            Foreign = DialectDescription.Load("Rest"),
        };

    private static async Task SendAsync(RawExchange exchange, Cut cut)
    {
        switch (cut)
        {
            case Cut.Checksum:
                using (var packed = new MemoryStream())
                {
                    await using (var gzip = new GZipStream(packed, CompressionMode.Compress, leaveOpen: true))
                        await gzip.WriteAsync(Encoding.UTF8.GetBytes(After), exchange.Stopping);
                    await exchange.BodyAsync(packed.ToArray()[..^8], "Content-Encoding: gzip\r\n");
                }

                break;
            case Cut.Length:
                await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 999\r\n\r\n{After}");
                break;
            default:
                await exchange.ChunkedAsync();
                await exchange.ChunkAsync(After);
                if (cut == Cut.Silence)
                    await exchange.StallAsync();
                break;
        }
    }
}
