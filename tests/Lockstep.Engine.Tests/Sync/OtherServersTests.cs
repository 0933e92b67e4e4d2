using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Lockstep.Engine.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>The main job against servers that know nothing of Lockstep.</summary>
public sealed partial class OtherServersTests : IDisposable
{
    /// <summary>A feed like the reference's: one object per chunk, no line breaks, every millisecond, forever.</summary>
    private const string NodeFeed = """
        const records = [[123, 999, null, 1234], [124, 1001, null, 1235], [125, 1002, null, 1236],
            [126, 1003, null, 1237], [127, 1004, null, 1238], [124, 1000, 1000, 1236]];
        require('http').createServer((request, response) => {
          response.writeHead(200, { 'Content-Type': 'text/plain' });
          const timer = setInterval(() => records.forEach(([id, updated_at, deleted_at, port]) =>
            response.write(JSON.stringify({ id, updated_at, deleted_at, ip: '0.0.0.0', port }))), 1);
          response.on('close', () => clearInterval(timer));
        }).listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); });
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_feed_of_nodes_http_module_gives_the_table_of_the_reference_feed()
    {
        using var node = Start("node", "-e", NodeFeed);
        try
        {
            var port = await PortAsync(node);

            var run = await SyncRun.ToEndAsync(SyncRun.Options(new Uri($"http://127.0.0.1:{port}/servers/"), _folder["servers.db"]));

            Assert.Equal((SyncEndReason.Settled, 5, "1004"), (run.Result.EndReason, run.Result.Added, run.Result.Cursor.ToString()));
            var records = SyncRun.Read(_folder["servers.db"]);
            Assert.Equal(["123", "124", "125", "126", "127"], records.Keys);
            Assert.Equal("""{"id":124,"updated_at":1001,"deleted_at":null,"ip":"0.0.0.0","port":1235}""", records["124"]);
        }
        finally
        {
            await EndAsync(node);
        }
    }

    [Fact]
    public async Task A_file_on_any_static_web_server_is_a_finite_feed()
    {
        string[] lines = [.. Enumerable.Range(1, 1000).Select(i => $"{{\"id\":{i},\"updated_at\":{i},\"deleted_at\":null}}")];
        await File.WriteAllLinesAsync(_folder["feed.ndjson"], lines, TestContext.Current.CancellationToken);
        using var server = Start("python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", _folder.Path);
        try
        {
            var port = await PortAsync(server);
            var options = SyncRun.Options(new Uri($"http://127.0.0.1:{port}/feed.ndjson"), _folder["feed.db"]);

            var first = await SyncRun.ToEndAsync(options);
            var second = await SyncRun.ToEndAsync(options);

            Assert.Equal(
                (SyncEndReason.EndOfFeed, 1000, "1000"),
                (first.Result.EndReason, first.Result.Added, first.Result.Cursor.ToString())
            );
            Assert.Empty(second.Changes);
        }
        finally
        {
            await EndAsync(server);
        }
    }

    private static Process Start(string program, params string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"{program} is not on this machine.");
            throw;
        }
    }

    private static async Task<int> PortAsync(Process process)
    {
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            if (Port().Match(line) is { Success: true } match)
                return int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        }

        throw new InvalidOperationException(
            "The server ended: " + await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken)
        );
    }

    private static async Task EndAsync(Process process)
    {
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    [GeneratedRegex(@"port (\d+)")]
    private static partial Regex Port();
}
