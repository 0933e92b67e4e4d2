using System.Text;
using System.Text.Json;

namespace Lockstep.Pester.Tests;

/// <summary>The file to which Invoke-Suite.ps1 adds a line of JSON for each test file that has ended. For one thread at a time.</summary>
/// <param name="path">Where it is, or will be.</param>
internal sealed class PesterResults(string path)
{
    private long _read;

    public string Path => path;

    /// <summary>What was added since the last call. An incomplete line is left for the next one.</summary>
    public IReadOnlyList<PesterFile> ReadNew()
    {
        if (!File.Exists(path))
            return [];

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Position = _read;
        var bytes = new byte[file.Length - _read];
        file.ReadExactly(bytes);
        var whole = bytes.AsSpan(0, bytes.AsSpan().LastIndexOf((byte)'\n') + 1);
        _read += whole.Length;
        return
        [
            .. Encoding
                .UTF8.GetString(whole)
                .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(Read),
        ];
    }

    private static PesterFile Read(string line)
    {
        var file = JsonSerializer.Deserialize<PesterFile>(line)!;
        return file.Outcomes.Count > 0 ? file : file with { Outcomes = [PesterOutcome.Failed($"There are no tests in '{file.File}'.")] };
    }
}
