using System.Net;
using System.Net.Sockets;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Microsoft.Extensions.Logging;

namespace Lockstep.Serving.Tests;

/// <summary>What a feed server logs.</summary>
public sealed class ServingLogTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_is_logged_from_its_coming_to_its_leaving_and_a_read_that_fails_as_a_warning()
    {
        var log = new ListLogger();
        var source = new ScriptedSource("items") { EndError = new InvalidDataException("gone") };
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.Rows, 1, ScriptedSource.Row(1)));
        await using (var server = await FeedServer.StartAsync([source], new FeedServerOptions { LoggerFactory = log }, null, Cancel))
        {
            using var client = new HttpClient();
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync(new Uri(server.Uri, "items/0"), Cancel));
        }

        Assert.Equal([7, 1, 3, 4, 6, 2], log.Entries.Select(entry => entry.Id.Id));
        var failed = log.Entries.Single(entry => entry.Level == LogLevel.Warning);
        Assert.Equal("gone", failed.Error!.Message);
    }

    /// <summary>A client may disconnect between two writes, before the server notices.</summary>
    [Fact]
    public async Task A_client_that_goes_while_it_is_sent_rows_is_no_read_that_failed()
    {
        var log = new ListLogger();
        var source = new ScriptedSource("items");
        var row = ScriptedSource.Row(1, $",\"text\":\"{new string('x', 1000)}\"");
        source.Chunks.Add(ScriptedSource.Chunk(FeedChunkKind.SnapshotRows, 1, [.. Enumerable.Repeat(row, 20_000)]));
        await using (var server = await FeedServer.StartAsync([source], new FeedServerOptions { LoggerFactory = log }, null, Cancel))
        {
            for (var i = 0; i < 50; i++)
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { LingerState = new LingerOption(true, 0) };
                await socket.ConnectAsync(server.Uri.Host, server.Uri.Port, Cancel);
                await socket.SendAsync("GET /items/0 HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Cancel);
                await socket.ReceiveAsync(new byte[50_000], Cancel);
            }
        }

        Assert.DoesNotContain(log.Entries, entry => entry.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task A_refused_request_is_logged_without_what_it_offered()
    {
        var log = new ListLogger();
        var options = new FeedServerOptions { LoggerFactory = log, Credentials = [FeedCredential.Bearer("right")] };
        using var client = new HttpClient { DefaultRequestHeaders = { Authorization = new("Bearer", "wrong-secret") } };
        await using (var server = await FeedServer.StartAsync([new ScriptedSource("items")], options, null, Cancel))
        {
            using var response = await client.GetAsync(new Uri(server.Uri, "items"), Cancel);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        }

        Assert.Contains(log.Entries, entry => entry.Id.Id == 5 && entry.Message.EndsWith("items: 401.", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Entries, entry => entry.Message.Contains("wrong-secret", StringComparison.Ordinal));
    }
}
