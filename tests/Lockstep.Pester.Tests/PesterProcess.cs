using System.Diagnostics;
using System.Text;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>One fresh PowerShell that runs Pester tests over the staged module.</summary>
/// <param name="Host">How to start PowerShell.</param>
/// <param name="Timeout">How long it may take. After that a hanging PowerShell is killed.</param>
internal sealed record PesterProcess(PowerShellHost Host, TimeSpan Timeout)
{
    // The exit code with which Invoke-Suite.ps1 says that this machine cannot run it.
    private const int Unsuitable = 77;

    /// <summary>Runs tests.</summary>
    /// <param name="files">The files with the tests.</param>
    /// <param name="finished">Is called with each file as it ends, on any thread, and never twice at once. If PowerShell does not come to
    /// its end, the first file without results gets a failure that says so, and the others after it are missing.</param>
    /// <param name="cancellationToken">Ends the PowerShell.</param>
    /// <exception cref="UnsuitableMachineException">Something that the tests need is missing here.</exception>
    public async Task RunAsync(IReadOnlyList<string> files, Action<PesterFile> finished, CancellationToken cancellationToken)
    {
        using var folder = new TempFolder();
        var results = new PesterResults(folder["results.json"]);
        var waiting = files.ToList();
        PesterFile? last = null;
        using var process = Process.Start(
            Host.StartInfo([
                "-File",
                Path.Combine(Repository.Root, "tests", "pester", "Invoke-Suite.ps1"),
                "-Module",
                Repository.StagedModule,
                "-ResultPath",
                results.Path,
                .. files,
            ])
        )!;
        process.StandardInput.Close();
        var output = new Transcript(process, Report);
        var ended = await WaitAsync(process, cancellationToken);
        if (ended && process.ExitCode == Unsuitable)
            throw new UnsuitableMachineException(output.ToString().Trim());

        Report();
        var problem =
            !ended ? $"PowerShell (process {process.Id}) did not end within {Timeout} and was ended."
            : last is null
                ? $"PowerShell ended with code {process.ExitCode} and no results of {string.Join(", ", waiting.Select(PesterFile.NameOf))}."
            : process.ExitCode != 0 ? $"PowerShell ended with code {process.ExitCode}, after all tests."
            : null;
        var end = last ?? new PesterFile(waiting[0], 0, []);
        finished(problem is null ? end : end with { Outcomes = [.. end.Outcomes, PesterOutcome.Failed(problem + output)] });

        void Report()
        {
            foreach (var file in results.ReadNew())
            {
                waiting.Remove(file.File);
                // The last one waits for the end of PowerShell, which may add a failure.
                if (waiting.Count == 0)
                    last = file;
                else
                    finished(file);
            }
        }
    }

    private async Task<bool> WaitAsync(Process process, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Timeout);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    /// <summary>What a process writes, both streams as they come.</summary>
    private sealed class Transcript
    {
        private readonly StringBuilder _text = new();

        /// <summary>Starts reading.</summary>
        /// <param name="process">The process.</param>
        /// <param name="onOutput">Called after each line of standard output, never twice at once.</param>
        public Transcript(Process process, Action onOutput)
        {
            process.OutputDataReceived += (_, line) =>
            {
                Add(line.Data);
                onOutput();
            };
            process.ErrorDataReceived += (_, line) => Add(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }

        /// <summary>The end of it, where the reason usually is.</summary>
        public override string ToString()
        {
            lock (_text)
            {
                var tail = Math.Min(_text.Length, 4000);
                return "\n" + _text.ToString(_text.Length - tail, tail);
            }
        }

        private void Add(string? line)
        {
            lock (_text)
                _text.AppendLine(line);
        }
    }
}
