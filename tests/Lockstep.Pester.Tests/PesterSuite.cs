namespace Lockstep.Pester.Tests;

/// <summary>One run of Pester tests over the staged module: in several PowerShells at once, each with its own part of the files.</summary>
/// <remarks>The parts are the same in every run, so that a test always has the same ones before it in its process.</remarks>
internal sealed class PesterSuite
{
    /// <summary>
    /// Roughly how many seconds those files take that take long. It only makes the parts even; any other counts for
    /// <see cref="OrdinarySeconds"/>.
    /// </summary>
    internal static readonly IReadOnlyDictionary<string, int> LongSeconds = new Dictionary<string, int>
    {
        ["Package"] = 25,
        ["Documents"] = 20,
        ["InPostgres"] = 20,
        ["LockstepVariable"] = 20,
        ["LockstepServer"] = 15,
        ["SyncLockstepTable"] = 15,
        ["HelpExamples"] = 15,
        ["FeedParameters"] = 10,
        ["Stopping"] = 8,
        ["Help"] = 8,
        ["ConnectLockstepModel"] = 6,
        ["WatchLockstepTable"] = 5,
        ["SyncJob"] = 5,
        ["Habits"] = 5,
        ["Examples"] = 4,
    };

    private const int OrdinarySeconds = 2;

    /// <summary>The folders in which PowerShell is looked for, as in the variable PATH.</summary>
    public string SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Whether it is a failure that there is nothing to run the suite with.</summary>
    public bool Required { get; init; } = Environment.GetEnvironmentVariable("LOCKSTEP_REQUIRE_PWSH") == "1";

    /// <summary>How long the whole suite may take. A PowerShell that hangs is then ended.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The folder or file with the tests.</summary>
    public string Tests { get; init; } = Path.Combine(Repository.Root, "tests", "pester");

    /// <summary>How many PowerShells run at once, at most.</summary>
    public int Processes { get; init; } = Math.Min(2, Environment.ProcessorCount);

    /// <summary>Runs the suite.</summary>
    /// <returns>
    /// One outcome per Pester test, and one for each PowerShell that did not come to its end; or a single one that says why there are none.
    /// </returns>
    public async Task<IReadOnlyList<PesterOutcome>> RunAsync(CancellationToken cancellationToken)
    {
        if (PowerShellHost.Find(SearchPath) is not { } host)
            return [Missing("There is no PowerShell: neither pwsh on the search path nor a restored tool (dotnet tool restore).")];

        try
        {
            var process = new PesterProcess(host, SearchPath, Timeout);
            var outcomes = await Task.WhenAll(Parts().Select(part => process.RunAsync(part, cancellationToken)));
            return [.. outcomes.SelectMany(part => part)];
        }
        catch (UnsuitableMachineException problem)
        {
            return [Missing(problem.Message)];
        }
    }

    /// <summary>
    /// The files, shared out so that each part takes about as long: the longest first, each to the part that has the least so far.
    /// </summary>
    internal IReadOnlyList<IReadOnlyList<string>> Parts()
    {
        if (!Directory.Exists(Tests))
        {
            return
            [
                [Tests],
            ];
        }

        var parts = Enumerable.Range(0, Processes).Select(_ => (Seconds: 0, Files: new List<string>())).ToArray();
        foreach (
            var file in Directory
                .GetFiles(Tests, "*.Tests.ps1", SearchOption.AllDirectories)
                .OrderByDescending(Seconds)
                .ThenBy(file => file, StringComparer.Ordinal)
        )
        {
            ref var part = ref parts[Array.IndexOf(parts, parts.MinBy(part => part.Seconds))];
            part.Seconds += Seconds(file);
            part.Files.Add(file);
        }

        var used = parts.Where(part => part.Files.Count > 0).Select(part => part.Files).ToArray();
        return used.Length > 0
            ? used
            :
            [
                [Tests],
            ];
    }

    private static int Seconds(string file) =>
        LongSeconds.GetValueOrDefault(Path.GetFileName(file).Replace(".Tests.ps1", "", StringComparison.Ordinal), OrdinarySeconds);

    private PesterOutcome Missing(string reason) => Required ? PesterOutcome.Failed(reason) : PesterOutcome.Skipped(reason);
}
