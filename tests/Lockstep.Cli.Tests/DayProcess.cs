using System.Diagnostics;
using System.Text;

namespace Lockstep.Cli.Tests;

/// <summary>A process of a long test, which is killed and restarted; its output is kept over its lives.</summary>
internal sealed class DayProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors;
    private bool _isOver;

    /// <param name="folder">Where it runs.</param>
    /// <param name="before">What it said on standard error in its earlier lives.</param>
    /// <param name="database">The variable ITS_DATABASE.</param>
    /// <param name="arguments">Of lockstep.</param>
    public DayProcess(string folder, string? before, string database, params string[] arguments)
    {
        _errors = new StringBuilder(before);
        _process = CliProcess.Start(folder, new() { ["ITS_DATABASE"] = database }, arguments);
        _process.OutputDataReceived += (_, e) => Add(_output, e.Data);
        _process.ErrorDataReceived += (_, e) => Add(_errors, e.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it printed in this life.</summary>
    public string Output => Text(_output);

    public string Errors => Text(_errors);

    /// <summary>How often a client said that it starts over, in all its lives.</summary>
    public int Resyncs => Errors.Split('\n').Count(line => line.StartsWith("lockstep: Resync:", StringComparison.Ordinal));

    /// <summary>Kills it, and returns once all of its output is here.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isOver)
            return;
        _isOver = true;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private static void Add(StringBuilder to, string? line)
    {
        if (line is null)
            return;
        lock (to)
            to.AppendLine(line);
    }

    private static string Text(StringBuilder of)
    {
        lock (of)
            return of.ToString();
    }
}
