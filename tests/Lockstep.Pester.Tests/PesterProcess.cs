using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>One fresh PowerShell that runs Pester tests over the staged module.</summary>
/// <param name="Host">How PowerShell is started.</param>
/// <param name="SearchPath">The folders in which it finds programs, as in the variable PATH.</param>
/// <param name="Timeout">How long it may take. A PowerShell that hangs is then ended.</param>
internal sealed record PesterProcess(PowerShellHost Host, string SearchPath, TimeSpan Timeout)
{
    // The exit code by which Invoke-Suite.ps1 says that this machine cannot run it.
    private const int Unsuitable = 77;

    /// <summary>Runs tests.</summary>
    /// <param name="tests">The folders or files with the tests.</param>
    /// <param name="cancellationToken">Ends the PowerShell.</param>
    /// <returns>One outcome per Pester test, and a failure if PowerShell did not come to its end.</returns>
    /// <exception cref="UnsuitableMachineException">What the tests need is missing here.</exception>
    public async Task<IReadOnlyList<PesterOutcome>> RunAsync(IReadOnlyList<string> tests, CancellationToken cancellationToken)
    {
        using var folder = new TempFolder();
        var results = folder["results.json"];
        using var process = Process.Start(
            Host.StartInfo(
                SearchPath,
                [
                    "-File",
                    Path.Combine(Repository.Root, "tests", "pester", "Invoke-Suite.ps1"),
                    "-Module",
                    Repository.StagedModule,
                    "-ResultPath",
                    results,
                    .. tests,
                ]
            )
        )!;
        process.StandardInput.Close();
        var output = new Transcript(process);
        if (!await WaitAsync(process, cancellationToken))
            return [PesterOutcome.Failed($"PowerShell (process {process.Id}) did not end within {Timeout} and was ended.{output}")];

        if (process.ExitCode == Unsuitable)
            throw new UnsuitableMachineException(output.ToString().Trim());

        if (!File.Exists(results))
            return [PesterOutcome.Failed($"PowerShell ended with code {process.ExitCode} and no results.{output}")];

        await using var json = File.OpenRead(results);
        var outcomes = await JsonSerializer.DeserializeAsync<PesterOutcome[]>(json, cancellationToken: cancellationToken);
        if (outcomes is not { Length: > 0 })
            return [PesterOutcome.Failed($"There are no tests in '{string.Join("', '", tests)}'.{output}")];

        return process.ExitCode == 0
            ? outcomes
            : [.. outcomes, PesterOutcome.Failed($"PowerShell ended with code {process.ExitCode}, after all tests.{output}")];
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

        public Transcript(Process process)
        {
            process.OutputDataReceived += Add;
            process.ErrorDataReceived += Add;
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }

        /// <summary>The end of it, which is where a reason stands.</summary>
        public override string ToString()
        {
            lock (_text)
            {
                var tail = Math.Min(_text.Length, 4000);
                return "\n" + _text.ToString(_text.Length - tail, tail);
            }
        }

        private void Add(object sender, DataReceivedEventArgs line)
        {
            lock (_text)
                _text.AppendLine(line.Data);
        }
    }
}
