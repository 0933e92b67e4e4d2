using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>A server that may open few files turns away who comes beyond that, and lives on.</summary>
public sealed class OpenFilesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task More_clients_than_it_may_open_files_for_do_not_end_it()
    {
        await using var feed = new TextFeed("""{"id":1,"updated_at":1}""" + "\n");
        await CliProcess.RunAsync(_folder.Path, "sync", feed.Uri, "-q", "-p", "t.db");
        using var server = Start(400, "serve", "--port", "0", "--path", "t.db");
        try
        {
            var uri = new Uri((await server.StandardOutput.ReadLineAsync(Cancel))!["Listening on ".Length..]);
            var clients = new List<TcpClient>();
            var answers = new List<string>();
            for (var i = 0; i < 600; i++)
            {
                var client = new TcpClient();
                clients.Add(client);
                try
                {
                    await client.ConnectAsync(uri.Host, uri.Port, Cancel);
                    var request = $"GET /servers/0 HTTP/1.1\r\nHost: {uri.Authority}\r\n\r\n";
                    await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), Cancel);
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
            using var asking = new HttpClient();
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    using var ready = await asking.GetAsync(new Uri(uri, "readyz"), Cancel);
                    return ready.StatusCode == HttpStatusCode.OK;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            });
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync(Cancel);
        }
    }

    /// <summary>Starts lockstep where it may open so many files.</summary>
    private Process Start(int files, params string[] arguments)
    {
        if (!OperatingSystem.IsLinux())
            Assert.Skip("The limit is set by a shell of Linux.");
        var plain = CliProcess.Info(arguments);
        var start = new ProcessStartInfo("sh", ["-c", $"ulimit -n {files}; exec \"$@\"", "sh", plain.FileName, .. plain.ArgumentList])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder.Path,
        };
        return Process.Start(start)!;
    }
}
