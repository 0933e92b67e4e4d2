using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>A server that may open few files turns further clients away, and keeps running.</summary>
public sealed class OpenFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task More_clients_than_it_may_open_files_for_do_not_end_it()
    {
        using var server = await ServeAsync(400);
        try
        {
            var uri = await UriOfAsync(server);
            var clients = new List<TcpClient>();
            var answers = new List<string>();
            for (var i = 0; i < 600; i++)
            {
                var client = new TcpClient();
                clients.Add(client);
                try
                {
                    await client.ConnectAsync(uri.Host, uri.Port, Cancel);
                    await client.GetStream().WriteAsync(RequestTo(uri), Cancel);
                    var answer = new byte[12];
                    await client.GetStream().ReadExactlyAsync(answer, Cancel);
                    answers.Add(Encoding.ASCII.GetString(answer)[9..]);
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    answers.Add("reset");
                }
            }

            Assert.Equal("200", answers[0]);
            Assert.Contains("503", answers);
            Assert.DoesNotContain(answers, answer => answer is not ("200" or "503" or "reset"));
            Assert.False(server.HasExited);

            clients.ForEach(client => client.Dispose());
            await ReadyAsync(uri);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync(Cancel);
        }
    }

    [Fact]
    public async Task Rushes_of_hundreds_in_one_instant_do_not_end_it()
    {
        using var server = await ServeAsync(256);
        try
        {
            var uri = await UriOfAsync(server);
            for (var rush = 0; rush < 5; rush++)
            {
                var clients = Enumerable.Range(0, 700).Select(_ => new TcpClient()).ToList();
                await Task.WhenAll(clients.Select(client => AskAsync(client, uri)));
                clients.ForEach(client => client.Dispose());
                Assert.False(server.HasExited);
            }

            await ReadyAsync(uri);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync(Cancel);
        }
    }

    /// <summary>Requests a table, and stays connected; the server may answer, turn it away or reset it.</summary>
    private static async Task AskAsync(TcpClient client, Uri uri)
    {
        try
        {
            await client.ConnectAsync(uri.Host, uri.Port, Cancel);
            await client.GetStream().WriteAsync(RequestTo(uri), Cancel);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            // Reset.
        }
    }

    private static byte[] RequestTo(Uri server) => Encoding.ASCII.GetBytes($"GET /servers/0 HTTP/1.1\r\nHost: {server.Authority}\r\n\r\n");

    /// <summary>Returns once the server says that it can be read.</summary>
    private static async Task ReadyAsync(Uri server)
    {
        using var asking = new HttpClient();
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                using var ready = await asking.GetAsync(new Uri(server, "readyz"), Cancel);
                return ready.StatusCode == HttpStatusCode.OK;
            }
            catch (Exception e) when (e is HttpRequestException or SocketException)
            {
                // Turned away; HttpClient reports a reset while connecting in different ways.
                return false;
            }
        });
    }

    private static async Task<Uri> UriOfAsync(Process server) =>
        new((await server.StandardOutput.ReadLineAsync(Cancel))!["Listening on ".Length..]);

    /// <summary>Serves a table of one record in a process that may open this many files.</summary>
    private async Task<Process> ServeAsync(int files)
    {
        if (!OperatingSystem.IsLinux())
            Assert.Skip("The limit is set by a shell of Linux.");
        await using var feed = new TextFeed("""{"id":1,"updated_at":1}""" + "\n");
        await CliProcess.RunAsync(_folder.Path, "sync", feed.Uri, "-q", "-p", "t.db");
        var plain = CliProcess.Info("serve", "--port", "0", "--path", "t.db");
        var start = new ProcessStartInfo("sh", ["-c", $"ulimit -n {files}; exec \"$@\"", "sh", plain.FileName, .. plain.ArgumentList])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.Path,
        };
        return Process.Start(start)!;
    }
}
