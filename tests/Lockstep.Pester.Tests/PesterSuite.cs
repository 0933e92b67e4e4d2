using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>One run of Pester tests over the staged module, in a fresh PowerShell.</summary>
internal sealed class PesterSuite
{
    // The exit code by which Invoke-Suite.ps1 says that this machine cannot run it.
    private const int Unsuitable = 77;

    /// <summary>The folders in which PowerShell is looked for, as in the variable PATH.</summary>
    public string SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Whether it is a failure that there is nothing to run the suite with.</summary>
    public bool Required { get; init; } = Environment.GetEnvironmentVariable("LOCKSTEP_REQUIRE_PWSH") == "1";

    /// <summary>How long the whole suite may take. A PowerShell that hangs is then ended.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The folder or file with the tests.</summary>
    public string Tests { get; init; } = Path.Combine(Repository.Root, "tests", "pester");

    /// <summary>Runs the suite.</summary>
    /// <returns>One outcome per Pester test; or a single one that says why there are none.</returns>
    public async Task<IReadOnlyList<PesterOutcome>> RunAsync(CancellationToken cancellationToken)
    {
        if (PowerShellHost.Find(SearchPath) is not { } host)
            return [Missing("There is no PowerShell: neither pwsh on the search path nor a restored tool (dotnet tool restore).")];

        using var folder = new TempFolder();
        var results = folder["results.json"];
        using var process = Process.Start(host.StartInfo(
            SearchPath,
            "-File", Path.Combine(Repository.Root, "tests", "pester", "Invoke-Suite.ps1"),
            "-Module", Repository.StagedModule,
            "-ResultPath", results,
            "-Path", Tests))!;
        process.StandardInput.Close();
        var output = new Transcript(process);
        if (!await WaitAsync(process, cancellationToken))
            return [PesterOutcome.Failed($"PowerShell (process {process.Id}) did not end within {Timeout} and was ended.{output}")];

        if (process.ExitCode == Unsuitable)
            return [Missing(output.ToString().Trim())];

        if (!File.Exists(results))
            return [PesterOutcome.Failed($"PowerShell ended with code {process.ExitCode} and no results.{output}")];

        await using var json = File.OpenRead(results);
        var outcomes = await JsonSerializer.DeserializeAsync<PesterOutcome[]>(json, cancellationToken: cancellationToken);
        return outcomes is { Length: > 0 } ? outcomes : [PesterOutcome.Failed($"There are no tests in '{Tests}'.{output}")];
    }

    private PesterOutcome Missing(string reason) => Required ? PesterOutcome.Failed(reason) : PesterOutcome.Skipped(reason);

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
