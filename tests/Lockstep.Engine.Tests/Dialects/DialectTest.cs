using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>What tests of dialects share: a server that answers by path and query, and syncs against it.</summary>
public abstract class DialectTest : SyncTest
{
    /// <summary>A server that answers each request with what a function returns for its path and query, and the request's number.</summary>
    private protected static RawServer Serve(Func<string, int, Reply> answer) =>
        new(async exchange =>
        {
            var reply = answer(Uri.UnescapeDataString(exchange.Head.Split(' ')[1]), exchange.Number);
            if (reply.IsCut)
            {
                await exchange.SendAsync(
                    $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {reply.Body.Length + 100}\r\n\r\n{reply.Body}"
                );
            }
            else
            {
                await exchange.SendAsync(
                    $"HTTP/1.1 {reply.Status}\r\nConnection: close\r\n{reply.Headers}Content-Length: "
                        + $"{Encoding.UTF8.GetByteCount(reply.Body)}\r\n\r\n{reply.Body}"
                );
            }
        });

    private protected static Reply Json(string body, string headers = "") =>
        new("200 OK", headers + "Content-Type: application/json\r\n", body);

    private protected static Reply Status(string status, string headers = "", string body = "") => new(status, headers, body);

    /// <summary>Whether somebody sees the changes: otherwise pages share a commit.</summary>
    private protected bool SeesChanges { get; set; } = true;

    private protected SyncOptions Dialect(RawServer server, string path, string? dialect, Func<SyncOptions, SyncOptions>? change = null)
    {
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri(server.Root, path) },
            Store = new FileTableStore(TablePath),
            Foreign =
                dialect is null ? null
                : dialect.StartsWith('{') ? DialectDescription.Parse(dialect, "test")
                : DialectDescription.Load(dialect),
            Settle = TimeSpan.FromMilliseconds(200),
            RetryInterval = TimeSpan.FromMilliseconds(20),
            WantsChanges = SeesChanges,
        };
        return change is null ? options : change(options);
    }

    /// <summary>The table as one text: keys and records, in key order.</summary>
    private protected string Table() => string.Join('\n', SyncRun.Read(TablePath).Select(pair => pair.Value));

    private protected static string Counts(SyncRun run) => $"{run.Result.Added} {run.Result.Updated} {run.Result.Deleted}";

    private protected static IEnumerable<string> Paths(RawServer server) =>
        server.Requests.Select(r => Uri.UnescapeDataString(r.Split(' ')[1]));

    private protected sealed record Reply(string Status, string Headers, string Body)
    {
        /// <summary>Whether to close the connection before the body is complete.</summary>
        public bool IsCut { get; init; }
    }
}
