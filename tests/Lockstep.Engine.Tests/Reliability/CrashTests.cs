using System.Diagnostics;
using System.Globalization;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>
/// A process that is killed at any instant leaves the net effect of a prefix, and the next one ends with the feed's truth.
/// </summary>
public sealed class CrashTests : IDisposable
{
    private static readonly int Kills = LongForm.Of(20, 300);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    [Trait("Invariant", "I1")]
    public async Task A_sync_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing()
    {
        var cancellation = TestContext.Current.CancellationToken;
        var truth = new Truth(200_000, 60_000);
        var random = new Random(LongForm.Seed(20));
        await using var server = new RawServer(exchange => ServeAsync(truth, exchange, random.Next()));
        int kills = 0,
            between = 0;
        while (true)
        {
            var before = server.Requests.Count;
            using var worker = Start(server.FeedUri);
            // Until one has hit a sync between two commits.
            var kill = kills < Kills || between == 0;
            if (kill)
            {
                await Eventually.TrueAsync(() => server.Requests.Count > before || worker.HasExited);
                // Every other kill waits for a commit, so that kills hit a sync between two of them, however fast the machine is.
                if (kills % 2 == 1)
                    await CommittedAsync(worker);
                await Task.Delay(random.Next(kills % 2 == 1 ? 60 : 700), cancellation);
                worker.Kill();
            }

            await worker.WaitForExitAsync(cancellation);
            if (Table.IsTable(_folder["t.db"]))
            {
                var length = int.Parse(new Table(_folder["t.db"]).GetInfo().Cursor.ToString(), CultureInfo.InvariantCulture);
                truth.AssertPrefix(_folder["t.db"], length);
                if (length > 0 && length < truth.Count)
                    between++;
                if (!kill)
                {
                    Assert.Equal((0, truth.Count), (worker.ExitCode, length));
                    break;
                }

                // Killed after the end: start over, so that each kill hits a sync at work.
                if (length == truth.Count)
                {
                    foreach (var file in Directory.EnumerateFiles(_folder.Path))
                        File.Delete(file);
                }
            }

            kills++;
        }
    }

    /// <summary>Waits until the worker has advanced the table's cursor, or has ended.</summary>
    private async Task CommittedAsync(Process worker)
    {
        string? before = null;
        await Eventually.TrueAsync(() =>
        {
            try
            {
                if (File.Exists(_folder["t.db"]))
                {
                    var now = new Table(_folder["t.db"]).GetInfo().Cursor.ToString();
                    before ??= now;
                    if (now != before)
                        return true;
                }
            }
            catch (LockstepException)
            {
                // The worker is just creating the file, or has exclusive access to it.
            }

            return worker.HasExited;
        });
    }

    private Process Start(Uri feed) =>
        Process.Start(
            new ProcessStartInfo(
                Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet",
                [Path.Combine(AppContext.BaseDirectory, "Lockstep.Crash.Worker.dll"), feed.AbsoluteUri, _folder["t.db"]]
            )
        )!;

    /// <summary>Slow enough that a kill finds it running, and now and then it cuts the connection itself.</summary>
    private static async Task ServeAsync(Truth truth, RawExchange exchange, int seed)
    {
        var random = new Random(seed);
        var cursor = int.Parse(exchange.Cursor, CultureInfo.InvariantCulture);
        await exchange.ChunkedAsync();
        for (var order = Math.Max(1, cursor); order <= truth.Count; )
        {
            var end = Math.Min(truth.Count, order + 1500);
            var piece = new System.Text.StringBuilder();
            for (; order <= end; order++)
                piece.Append(System.Text.Encoding.UTF8.GetString(truth[order]));
            if (random.Next(60) == 0)
            {
                await exchange.SendAsync($"{piece.Length * 2:x}\r\n{piece}");
                exchange.Reset();
                return;
            }

            await exchange.ChunkAsync(piece.ToString());
            // A pause now and then, in which what has arrived so far is committed.
            await Task.Delay(random.Next(12) == 0 ? 40 : 2, exchange.Stopping);
        }

        await exchange.LastChunkAsync();
    }
}
