using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep serve as a service of systemd.</summary>
public sealed class SystemdTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public async Task It_says_when_it_is_ready_and_when_it_stops(bool isConfigured, bool isAbstract)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "systemd is of Linux.");
        var path = isAbstract ? $"@lockstep-test-{Guid.NewGuid():N}" : _folder["notify"];
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + path[1..] : path));
        await File.WriteAllTextAsync(
            _folder["lockstep.json"],
            """{ "listen": { "port": 0 }, "files": [{ "path": "servers.db" }] }""",
            Cancel
        );
        await using (var feed = new TextFeed("""{"id":1,"updated_at":1}"""))
            Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["servers.db"], "-q"]));

        string[] arguments = isConfigured ? ["--config", "lockstep.json"] : ["--path", "servers.db", "--port", "0"];
        await using var server = await ServeService.StartAsync(_folder.Path, new() { ["NOTIFY_SOCKET"] = path }, arguments);
        Assert.Equal("READY=1", await ReceiveAsync());
        using (var client = new HttpClient())
            Assert.Equal("ok\n", await client.GetStringAsync(new Uri(server.Uri, "livez"), Cancel));
        var ended = server.TerminateAsync();
        Assert.Equal("STOPPING=1", await ReceiveAsync());
        Assert.Equal(0, await ended);

        async Task<string> ReceiveAsync()
        {
            var buffer = new byte[256];
            var length = await socket.ReceiveAsync(buffer, Cancel).AsTask().WaitAsync(Eventually.Deadline, Cancel);
            return Encoding.UTF8.GetString(buffer, 0, length);
        }
    }

    [Fact]
    public async Task Nobody_at_the_socket_stops_nothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "systemd is of Linux.");
        await File.WriteAllTextAsync(_folder["lockstep.json"], """{ "listen": { "port": 0 } }""", Cancel);
        await using var server = await ServeService.StartAsync(
            _folder.Path,
            new() { ["NOTIFY_SOCKET"] = _folder["nothing"] },
            "--config",
            "lockstep.json"
        );
        Assert.Equal(0, await server.TerminateAsync());
    }

    [Fact]
    public async Task The_unit_is_one_that_systemd_accepts()
    {
        const string Verifier = "/usr/bin/systemd-analyze";
        Assert.SkipUnless(File.Exists(Verifier), "There is no systemd-analyze.");
        var unit = await File.ReadAllTextAsync(RepositoryFile.PathOf("deploy/lockstep.service"), Cancel);
        Assert.Contains("ExecStart=/usr/local/bin/lockstep serve --config ", unit, StringComparison.Ordinal);

        // The program that it starts must exist.
        await File.WriteAllTextAsync(
            _folder["lockstep.service"],
            unit.Replace("/usr/local/bin/lockstep ", "/bin/true ", StringComparison.Ordinal),
            Cancel
        );
        using var verify = Process.Start(
            new ProcessStartInfo(Verifier, ["verify", "--man=no", _folder["lockstep.service"]])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            }
        )!;
        var told = await verify.StandardOutput.ReadToEndAsync(Cancel) + await verify.StandardError.ReadToEndAsync(Cancel);
        await verify.WaitForExitAsync(Cancel);

        // A member that systemd does not know is only a warning.
        Assert.Equal((0, ""), (verify.ExitCode, told));
    }
}
