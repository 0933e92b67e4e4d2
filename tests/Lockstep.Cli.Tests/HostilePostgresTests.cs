using System.Net;
using System.Net.Sockets;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>
/// What answers on PostgreSQL's port is no database, or a hostile one: the error is one that a user can act on, short and without anything
/// that steers a terminal.
/// </summary>
public sealed class HostilePostgresTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string> Answers => [.. FakePostgres.Answers.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task A_hostile_database_ends_serving_with_an_error_that_says_what_to_do(string answer)
    {
        using var server = new FakePostgres(answer);

        var run = await CliProcess.RunAsync(_folder.Path, "serve", "--postgres", server.Connection, "--table", "x", "--port", "0");

        Check(run);
    }

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task A_hostile_database_ends_a_sync_to_it_with_an_error_that_says_what_to_do(string answer)
    {
        using var server = new FakePostgres(answer);

        var run = await CliProcess.RunAsync(_folder.Path, "sync", "http://127.0.0.1:1/x/", "--postgres", server.Connection);

        Check(run);
    }

    private static void Check(CliProcess run)
    {
        Assert.NotEqual(0, run.ExitCode);
        Assert.DoesNotContain("This is unexpected", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', run.Error);
        Assert.DoesNotContain("hidden", run.Error, StringComparison.Ordinal);
        Assert.InRange(run.Error.Length, 50, 1500);
        Assert.Matches(@"\[\w+\]\s*$", run.Error);
    }

    /// <summary>Speaks the protocol far enough for the driver to believe it.</summary>
    private sealed class FakePostgres : IDisposable
    {
        private static readonly byte[] Ready = Message('Z', "I"u8);

        private static readonly byte[] Hello =
        [
            .. Message('R', [0, 0, 0, 0]),
            .. Parameter("server_version", "15.4"),
            .. Parameter("client_encoding", "UTF8"),
            .. Parameter("standard_conforming_strings", "on"),
            .. Parameter("integer_datetimes", "on"),
            .. Message('K', [0, 0, 0, 1, 0, 0, 0, 2]),
            .. Ready,
        ];

        /// <summary>What it says to who connects, and to each request.</summary>
        public static readonly Dictionary<string, (byte[] First, byte[] Then)> Answers = new()
        {
            ["steers a terminal"] = (Error("\u001b]0;owned\u0007 no"), []),
            ["steers a terminal later"] = (Hello, Error("\u001b]0;owned\u0007 no")),
            ["an error of megabytes"] = (Error(new string('A', 3_000_000)), []),
            ["an error of megabytes later"] = (Hello, Error(new string('A', 3_000_000))),
            ["two gigabytes"] = ([(byte)'E', 0x7F, 0xFF, 0xFF, 0xFF, .. new byte[10_000]], []),
            ["two gigabytes later"] = (Hello, [(byte)'D', 0x7F, 0xFF, 0xFF, 0xFF, .. new byte[10_000]]),
            ["no such message"] = (Hello, [0, 0, 0, 0, 4]),
            ["no such authentication"] = (Message('R', [0, 0, 0, 99]), []),
            ["no such version"] = ([.. Message('R', [0, 0, 0, 0]), .. Parameter("server_version", "\u001b[3"), .. Ready], Ready),
            ["another message than is due"] = (Hello, Hello),
            ["nothing"] = (Hello, Ready),
        };

        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly (byte[] First, byte[] Then) _answer;

        public FakePostgres(string answer)
        {
            _answer = Answers[answer];
            _listener.Start();
            _ = AcceptAsync();
        }

        public string Connection =>
            $"Host=127.0.0.1;Port={((IPEndPoint)_listener.LocalEndpoint).Port};Username=u;Password=hidden;Database=d;Timeout=5;"
            + "SSL Mode=Disable;GSS Encryption Mode=Disable";

        public void Dispose() => _listener.Dispose();

        private static byte[] Message(char type, ReadOnlySpan<byte> body) =>
            [(byte)type, .. BitConverter.GetBytes(IPAddress.HostToNetworkOrder(body.Length + 4)), .. body];

        private static byte[] Parameter(string name, string value) => Message('S', Encoding.UTF8.GetBytes($"{name}\0{value}\0"));

        private static byte[] Error(string text) => Message('E', Encoding.UTF8.GetBytes($"SFATAL\0VFATAL\0CXX000\0M{text}\0\0"));

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptTcpClientAsync(Cancelled));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // The test is over.
            }
        }

        private async Task ServeAsync(TcpClient client)
        {
            using var _ = client;
            var request = new byte[8192];
            try
            {
                await client.GetStream().ReadExactlyAsync(request.AsMemory(0, 8), Cancelled);
                await client.GetStream().WriteAsync(_answer.First, Cancelled);
                while (await client.GetStream().ReadAsync(request, Cancelled) > 0)
                    await client.GetStream().WriteAsync(_answer.Then, Cancelled);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client has seen enough.
            }
        }
    }
}
