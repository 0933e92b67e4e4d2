using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// npm's scuttlebutt, installed once for all tests into a temporary folder. Where node or npm is missing, tests are skipped; in CI that is
/// a failure.
/// </summary>
public sealed class NpmScuttlebutt : IDisposable
{
    private static readonly string[] Files = ["peer.js", "package.json", "package-lock.json"];
    private readonly TempFolder _folder = new();
    private readonly Lazy<string?> _problem;

    public NpmScuttlebutt()
    {
        _problem = new Lazy<string?>(Install);
    }

    public string Folder => _folder.Path;

    public void Require()
    {
        if (_problem.Value is { } problem)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is not null, problem);
            Assert.Fail(problem);
        }
    }

    public void Dispose() => _folder.Dispose();

    private string? Install()
    {
        foreach (var file in Files)
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, "interop", file), _folder[file]);
        }

        try
        {
            var windows = OperatingSystem.IsWindows();
            var start = new ProcessStartInfo(windows ? "cmd" : "npm")
            {
                WorkingDirectory = _folder.Path,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (
                var argument in (string[])[.. windows ? (string[])["/c", "npm"] : [], "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            )
            {
                start.ArgumentList.Add(argument);
            }

            using var npm = Process.Start(start)!;
            var errors = npm.StandardError.ReadToEndAsync();
            _ = npm.StandardOutput.ReadToEndAsync();
            if (!npm.WaitForExit(TimeSpan.FromMinutes(2)))
            {
                npm.Kill(entireProcessTree: true);
                return "npm did not install scuttlebutt within two minutes.";
            }

            return npm.ExitCode == 0
                ? null
                : "npm could not install scuttlebutt: exit code "
                    + npm.ExitCode.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "node and npm are needed to speak with npm's scuttlebutt, and are not here.";
        }
    }
}

/// <summary>A node process with one node of npm's scuttlebutt in it, ended with the test.</summary>
internal sealed class NodePeer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly Process _process;
    private readonly BlockingCollection<JsonElement> _answers = [];
    private readonly List<JsonElement> _passed = [];

    private NodePeer(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is { } text)
            {
                _answers.Add(JsonSerializer.Deserialize<JsonElement>(text));
            }
            else
            {
                _answers.CompleteAdding();
            }
        };
        process.BeginOutputReadLine();
    }

    public int Port { get; private set; }

    public string Id { get; private set; } = string.Empty;

    public static NodePeer Start(NpmScuttlebutt npm, object options)
    {
        npm.Require();
        var start = new ProcessStartInfo("node")
        {
            WorkingDirectory = npm.Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add("peer.js");
        start.ArgumentList.Add(JsonSerializer.Serialize(options));
        var peer = new NodePeer(Process.Start(start)!);
        var ready = peer.Wait("id");
        peer.Id = ready.GetProperty("id").GetString()!;
        peer.Port = ready.TryGetProperty("port", out var port) && port.ValueKind == JsonValueKind.Number ? port.GetInt32() : 0;
        return peer;
    }

    public void Tell(string command, object? argument)
    {
        _process.StandardInput.WriteLine(new JsonObject { [command] = JsonSerializer.SerializeToNode(argument) }.ToJsonString());
        _process.StandardInput.Flush();
    }

    /// <summary>The next thing it says that has this member; what comes before it is passed over.</summary>
    public JsonElement Wait(string member)
    {
        while (_answers.TryTake(out var answer, Limit))
        {
            if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty(member, out _))
            {
                return answer;
            }

            _passed.Add(answer);
        }

        throw new InvalidOperationException($"The node process did not say '{member}', but: {string.Join(", ", _passed)}");
    }

    public JsonElement State()
    {
        Tell("state", true);
        return Wait("state").GetProperty("state");
    }

    public int Count()
    {
        Tell("count", true);
        return Wait("count").GetProperty("count").GetInt32();
    }

    public void Kill() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
        _answers.Dispose();
    }
}
