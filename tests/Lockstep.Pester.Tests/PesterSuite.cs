namespace Lockstep.Pester.Tests;

/// <summary>One run of Pester tests over the staged module: in several PowerShells at once, each with its own part of the files.</summary>
/// <remarks>The parts are the same in every run, so that a test always has the same ones before it in its process.</remarks>
internal sealed class PesterSuite
{
    /// <summary>
    /// Roughly how many seconds the slow files take. It only balances the parts; any other file counts for <see cref="OrdinarySeconds"/>.
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

    /// <summary>The folder whose tool manifest names the PowerShell to run the suite with.</summary>
    public string Tools { get; init; } = Repository.Root;

    /// <summary>The folders in which to look for PowerShell if the manifest's has not been restored, as in the variable PATH.</summary>
    public string SearchPath { get; init; } = Environment.GetEnvironmentVariable("PATH") ?? "";

    /// <summary>Whether it is a failure if there is nothing to run the suite with.</summary>
    public bool Required { get; init; } = Environment.GetEnvironmentVariable("LOCKSTEP_REQUIRE_PWSH") == "1";

    /// <summary>How long the whole suite may take. After that a hanging PowerShell is killed.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>The files with the tests. At least one.</summary>
    public IReadOnlyList<string> Files { get; init; } = FilesIn(Path.Combine(Repository.Root, "tests", "pester"));

    /// <summary>The largest number of PowerShells to run at once.</summary>
    public int Processes { get; init; } = Math.Min(2, Environment.ProcessorCount);

    /// <summary>The files with tests in a folder and below.</summary>
    public static IReadOnlyList<string> FilesIn(string folder) => Directory.GetFiles(folder, "*.Tests.ps1", SearchOption.AllDirectories);

    /// <summary>Runs the suite.</summary>
    /// <param name="finished">Is called with each file as it ends, on any thread, and never twice at once: with an outcome per Pester test,
    /// and one for a PowerShell that did not come to its end. If there is nothing to run the suite with, it is called once, with an outcome
    /// that says why.</param>
    /// <param name="cancellationToken">Ends the PowerShells.</param>
    public async Task RunAsync(Action<PesterFile> finished, CancellationToken cancellationToken)
    {
        if (PowerShellHost.Find(Tools, SearchPath) is not { } host)
        {
            finished(Missing("There is no PowerShell: neither a restored tool (dotnet tool restore) nor pwsh on the search path."));
            return;
        }

        try
        {
            var gate = new Lock();
            var process = new PesterProcess(host, Timeout);
            await Task.WhenAll(Parts().Select(part => process.RunAsync(part, InTurn, cancellationToken)));

            void InTurn(PesterFile file)
            {
                lock (gate)
                    finished(file);
            }
        }
        catch (UnsuitableMachineException problem)
        {
            finished(Missing(problem.Message));
        }
    }

    /// <summary>The files in the order in which they are expected to end.</summary>
    internal IEnumerable<string> InOrderOfEnd() =>
        Parts()
            .SelectMany(part =>
            {
                var seconds = 0;
                return part.Select(file => (File: file, End: seconds += Seconds(file))).ToArray();
            })
            .OrderBy(file => file.End)
            .Select(file => file.File);

    /// <summary>
    /// Distributes the files so that each part takes about as long: the longest first, each to the part that has the least so far.
    /// </summary>
    internal IReadOnlyList<IReadOnlyList<string>> Parts()
    {
        var parts = Enumerable.Range(0, Processes).Select(_ => (Seconds: 0, Files: new List<string>())).ToArray();
        foreach (var file in Files.OrderByDescending(Seconds).ThenBy(file => file, StringComparer.Ordinal))
        {
            ref var part = ref parts[Array.IndexOf(parts, parts.MinBy(part => part.Seconds))];
            part.Seconds += Seconds(file);
            part.Files.Add(file);
        }

        return parts.Where(part => part.Files.Count > 0).Select(part => part.Files).ToArray();
    }

    private static int Seconds(string file) => LongSeconds.GetValueOrDefault(PesterFile.NameOf(file), OrdinarySeconds);

    private PesterFile Missing(string reason) =>
        new(Files[0], 0, [Required ? PesterOutcome.Failed(reason) : PesterOutcome.Skipped(reason)]);
}
