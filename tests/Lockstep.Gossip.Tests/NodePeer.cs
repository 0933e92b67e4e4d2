using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>npm's scuttlebutt, installed once for all tests of a class.</summary>
public sealed class NpmScuttlebutt() : NpmPackages("interop", "npm's scuttlebutt");

/// <summary>A node process with one node of npm's scuttlebutt; ends with the test.</summary>
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

    /// <summary>Its next line with this member; earlier ones are skipped.</summary>
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
