using System.Collections.Concurrent;

namespace Lockstep.Pester.Tests;

/// <summary>The one run of the suite in this process. It starts with the first file requested. Safe for any thread.</summary>
/// <param name="files">The files to run.</param>
internal sealed class PesterRun(IReadOnlyList<string> files)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<IReadOnlyList<PesterOutcome>>> _outcomes = new();
    private int _begun;

    /// <summary>
    /// The results of a file's tests, as soon as it has ended. Nothing if its PowerShell did not get there: an earlier file then has the
    /// failure.
    /// </summary>
    /// <param name="file">One of the files.</param>
    public Task<IReadOnlyList<PesterOutcome>> OutcomesOfAsync(string file)
    {
        if (Interlocked.Exchange(ref _begun, 1) == 0)
            _ = RunAsync(TestContext.Current);

        return Outcomes(file).Task;
    }

    private async Task RunAsync(ITestContext context)
    {
        try
        {
            var ended = 0;
            await new PesterSuite { Files = files }.RunAsync(
                file =>
                {
                    context.SendDiagnosticMessage("Pester {0} of {1}, {2}", ++ended, files.Count, file);
                    Outcomes(file.File).SetResult(file.Outcomes);
                },
                context.CancellationToken
            );
            foreach (var file in files)
                Outcomes(file).TrySetResult([]);
        }
        catch (Exception problem)
        {
            foreach (var file in files)
                Outcomes(file).TrySetException(problem);
        }
    }

    private TaskCompletionSource<IReadOnlyList<PesterOutcome>> Outcomes(string file) =>
        _outcomes.GetOrAdd(file, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
