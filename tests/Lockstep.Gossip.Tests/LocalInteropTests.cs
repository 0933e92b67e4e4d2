using System.Diagnostics;
using System.Text.Json;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// npm's scuttlebutt in node against ours on one machine: over a named pipe, and over the standard input and output of a program that
/// either side started.
/// </summary>
public sealed class LocalInteropTests(NpmScuttlebutt npm) : IClassFixture<NpmScuttlebutt>
{
    private static readonly object[] TheirKey = [new { set = new object[] { "fromTheirs", "€" } }];
    private readonly string _pipe = "lockstep-" + Guid.NewGuid().ToString("N");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The system's name for the pipe that .NET knows by its name.</summary>
    private string PipePath => OperatingSystem.IsWindows() ? @"\\.\pipe\" + _pipe : Path.Combine(Path.GetTempPath(), "CoreFxPipe_" + _pipe);

    [Fact]
    public async Task They_dial_our_named_pipe()
    {
        await using var ours = Ours();
        await using var listener = GossipListener.StartPipe(_pipe, new GossipHub(KeyValuePair.Create<string, GossipNode>("m", ours)));
        await using var peer = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                answer = "fromOurs",
                @do = TheirKey,
            }
        );
        peer.Tell("dial", PipePath);
        await AnsweredAsync(ours);
    }

    [Fact]
    public async Task We_dial_their_named_pipe_and_come_back_to_it()
    {
        await using var ours = Ours();
        await using var connector = new GossipConnector(
            ours,
            new Uri("pipe://localhost/" + _pipe),
            new GossipConnectorOptions { FirstDelay = TimeSpan.FromMilliseconds(10) }
        );
        await using (
            var first = NodePeer.Start(
                npm,
                new
                {
                    kind = "model",
                    listen = PipePath,
                    answer = "fromOurs",
                    @do = TheirKey,
                }
            )
        )
        {
            await AnsweredAsync(ours);
            first.Kill();
        }

        File.Delete(PipePath);
        ours.Set("later", 1);
        await using var second = NodePeer.Start(
            npm,
            new
            {
                kind = "model",
                listen = PipePath,
                answer = "later",
            }
        );
        await Eventually.TrueAsync(() => ours["answer"]?.ToString() == "1", "the answer of the second peer");
    }

    [Fact]
    public async Task We_start_them_and_speak_over_their_standard_input_and_output()
    {
        npm.Require();
        await using var ours = Ours();
        var options = JsonSerializer.Serialize(
            new
            {
                kind = "model",
                stdio = true,
                answer = "fromOurs",
                @do = TheirKey,
            }
        );
        using var child = Process.Start(
            new ProcessStartInfo("node", ["peer.js", options])
            {
                WorkingDirectory = npm.Folder,
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            var stream = ours.Attach(new DuplexStream(child.StandardOutput.BaseStream, child.StandardInput.BaseStream));
            await AnsweredAsync(ours);

            // The child ends when its input ends.
            await stream.DisposeAsync();
            await child.WaitForExitAsync(Token);
            Assert.Equal(0, child.ExitCode);
        }
        finally
        {
            if (!child.HasExited)
            {
                child.Kill();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task They_start_the_program_lockstep_and_speak_over_its_standard_input_and_output(bool once)
    {
        using var folder = new TempFolder();
        string[] program = ["dotnet", Path.Combine(AppContext.BaseDirectory, "lockstep.dll"), "gossip"];
        var file = folder["shared.db"];
        await using (var ours = new LockstepModel(new GossipNodeOptions { Path = file }))
        {
            ours.Set("fromOurs", "ключ");
        }

        string[] connect = [.. program, "connect", "stdio:", "--path", file, .. once ? (string[])["--once"] : []];
        await using (
            var peer = NodePeer.Start(
                npm,
                new
                {
                    kind = "model",
                    spawn = connect,
                    stream = new { tail = !once },
                    @do = TheirKey,
                }
            )
        )
        {
            await Task.Run(() => peer.Wait("synced"), Token);
            if (!once)
            {
                peer.Tell("set", new object[] { "live", 1 });
                await Eventually.TrueAsync(
                    () => peer.State().TryGetProperty("fromOurs", out var value) && value.GetString() == "ключ",
                    "our key"
                );
                peer.Tell("end", true);
            }

            Assert.Equal(0, (await Task.Run(() => peer.Wait("exit"), Token)).GetProperty("exit").GetInt32());
        }

        await using var after = new LockstepModel(new GossipNodeOptions { Path = file });
        Assert.Equal(once ? ["fromOurs", "fromTheirs"] : ["fromOurs", "fromTheirs", "live"], after.Keys.Order());
    }

    private static LockstepModel Ours()
    {
        var ours = new LockstepModel();
        ours.Set("fromOurs", new { deep = new object?[] { 1, "ключ", null } });
        return ours;
    }

    /// <summary>We have what they have, and they have what we have.</summary>
    private static async Task AnsweredAsync(LockstepModel ours)
    {
        await Eventually.TrueAsync(() => ours["fromTheirs"]?.GetString() == "€", "their key");
        await Eventually.TrueAsync(() => ours["answer"]?.GetRawText() == """{"deep":[1,"ключ",null]}""", "their answer");
    }
}
