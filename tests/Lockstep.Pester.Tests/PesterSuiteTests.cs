using System.Diagnostics;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>How the suite behaves if PowerShell is missing or misbehaves.</summary>
public sealed class PesterSuiteTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, "Skipped")]
    [InlineData(true, "Failed")]
    public async Task Without_PowerShell_it_is_one_result_and_never_passed(bool required, string result)
    {
        var outcome = Assert.Single(await Run(Here(required: required)));
        Assert.Equal(result, outcome.Result);
        Assert.Contains("no PowerShell", outcome.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "Skipped")]
    [InlineData(true, "Failed")]
    public async Task Without_Pester_the_reason_is_told(bool required, string result)
    {
        WriteFakePowerShell("echo 'Pester 6 is not installed'; exit 77");
        var outcome = Assert.Single(await Run(Here(required: required)));
        Assert.Equal(result, outcome.Result);
        Assert.Equal("Pester 6 is not installed", outcome.Message);
    }

    [Fact]
    public async Task A_PowerShell_that_hangs_is_ended_and_is_a_failure()
    {
        WriteFakePowerShell("echo $$ > FOLDER/pid; exec sleep 1000");
        var outcome = Assert.Single(await Run(Here(processes: 1, timeout: TimeSpan.FromSeconds(1))));

        Assert.Equal("Failed", outcome.Result);
        Assert.Contains("did not end within", outcome.Message, StringComparison.Ordinal);
        var id = int.Parse(await File.ReadAllTextAsync(_folder["pid"], TestContext.Current.CancellationToken), null);
        Assert.Throws<ArgumentException>(() => Process.GetProcessById(id));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Each_PowerShell_that_dies_is_a_failure_with_what_it_said_last(int processes)
    {
        WriteFiles("A", "B", "C");
        WriteFakePowerShell("echo 'out of memory' >&2; exit 134");
        var outcomes = await Run(Here(processes));

        Assert.Equal(processes, outcomes.Count);
        Assert.All(
            outcomes,
            outcome =>
            {
                Assert.Equal("Failed", outcome.Result);
                Assert.Contains("code 134", outcome.Message, StringComparison.Ordinal);
                Assert.Contains("out of memory", outcome.Message, StringComparison.Ordinal);
            }
        );
    }

    [Fact]
    public async Task A_PowerShell_that_dies_costs_the_results_of_no_other()
    {
        WriteFiles("A", "B");
        WriteFakePowerShell(
            """
            for last; do :; done
            case $last in */A.Tests.ps1) exit 134;; esac
            while [ "$1" != -ResultPath ]; do shift; done
            echo '{"File":"FOLDER/B.Tests.ps1","Seconds":1,"Outcomes":[{"Name":"B.works","Result":"Passed","Message":""}]}' > "$2"
            """
        );
        var outcomes = await Run(Here());

        Assert.Equal(["B.works Passed", "Suite Failed"], outcomes.Select(outcome => $"{outcome.Name} {outcome.Result}").Order());
    }

    [Fact]
    public async Task A_PowerShell_that_dies_after_its_tests_is_a_failure_beside_them()
    {
        WriteFiles("A");
        WriteFakePowerShell(
            """
            while [ "$1" != -ResultPath ]; do shift; done
            echo '{"File":"FOLDER/A.Tests.ps1","Seconds":1,"Outcomes":[{"Name":"A.works","Result":"Passed","Message":""}]}' > "$2"
            exit 134
            """
        );
        var outcomes = await Run(Here(processes: 1));

        Assert.Equal(["Passed", "Failed"], outcomes.Select(outcome => outcome.Result));
        Assert.Contains("code 134", outcomes[1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_PowerShell_that_dies_has_a_failure_for_the_first_file_that_it_did_not_end_and_keeps_those_before()
    {
        WriteFiles("A", "B", "C");
        WriteFakePowerShell(
            """
            while [ "$1" != -ResultPath ]; do shift; done
            echo '{"File":"FOLDER/A.Tests.ps1","Seconds":1,"Outcomes":[{"Name":"A.works","Result":"Passed","Message":""}]}' > "$2"
            exit 0
            """
        );
        var files = new List<PesterFile>();
        await Here(processes: 1).RunAsync(files.Add, TestContext.Current.CancellationToken);

        Assert.Equal(["A", "B"], files.Select(file => file.Name));
        Assert.Equal("Passed", Assert.Single(files[0].Outcomes).Result);
        var outcome = Assert.Single(files[1].Outcomes);
        Assert.Equal("Failed", outcome.Result);
        Assert.Contains("no results of B, C", outcome.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_is_told_as_soon_as_it_ends_and_one_without_tests_is_a_failure()
    {
        WriteFiles("A", "B");
        WriteFakePowerShell(
            """
            while [ "$1" != -ResultPath ]; do shift; done
            echo '{"File":"FOLDER/A.Tests.ps1","Seconds":1,"Outcomes":[]}' > "$2"
            echo 'A has run.'
            while [ ! -e FOLDER/told ]; do sleep 0.01; done
            echo '{"File":"FOLDER/B.Tests.ps1","Seconds":1,"Outcomes":[{"Name":"B.works","Result":"Passed","Message":""}]}' >> "$2"
            """
        );
        var files = new List<PesterFile>();
        // The second file ends only after the first has been reported.
        await Here(processes: 1)
            .RunAsync(
                file =>
                {
                    files.Add(file);
                    File.WriteAllText(_folder["told"], "");
                },
                TestContext.Current.CancellationToken
            );

        Assert.Equal(["A: 1.0 s, 1 failed", "B: 1.0 s, 1 passed"], files.Select(file => file.ToString()));
        Assert.Contains("no tests", Assert.Single(files[0].Outcomes).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_are_expected_to_end_in_the_order_of_their_seconds_in_each_part()
    {
        WriteFiles("A", "B", "C", "Help", "Package");
        var suite = new PesterSuite { Files = PesterSuite.FilesIn(_folder.Path), Processes = 2 };
        Assert.Equal(["Help", "A", "B", "C", "Package"], suite.InOrderOfEnd().Select(PesterFile.NameOf));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Each_file_is_in_one_part_and_the_parts_are_even_and_always_the_same(int processes)
    {
        string[] names = ["A", "B", "C", "Package", "D", "E"];
        WriteFiles(names);
        var suite = new PesterSuite { Files = PesterSuite.FilesIn(_folder.Path), Processes = processes };
        var parts = suite.Parts();

        Assert.Equal(processes, parts.Count);
        Assert.Equal(names.Order(), parts.SelectMany(part => part).Select(file => Path.GetFileName(file)[..^".Tests.ps1".Length]).Order());
        Assert.Equal(parts, suite.Parts());
        // The long one is alone as soon as possible.
        Assert.Equal(
            processes == 1 ? names.Length : 1,
            parts.Single(part => part.Any(file => file.EndsWith("Package.Tests.ps1", StringComparison.Ordinal))).Count
        );
    }

    [Fact]
    public void The_files_that_take_long_are_there()
    {
        Assert.All(
            PesterSuite.LongSeconds.Keys,
            name => Assert.True(File.Exists(Path.Combine(Repository.Root, "tests", "pester", name + ".Tests.ps1")), name)
        );
    }

    [Fact]
    public async Task Failures_skips_and_broken_blocks_are_results_of_their_own()
    {
        await File.WriteAllTextAsync(
            _folder["Sample.Tests.ps1"],
            """
            Describe 'good' { It 'passes' { 1 | Should -Be 1 }; It 'fails' { 1 | Should -Be 2 }; It 'is skipped' -Skip { } }
            Describe 'far' -Skip -Tag 'there is no server' { Context 'inner' { It 'waits' { } } }
            Describe 'bad' { BeforeAll { throw 'no setup' }; It 'never runs' { } }
            """,
            TestContext.Current.CancellationToken
        );
        await File.WriteAllTextAsync(_folder["Broken.Tests.ps1"], "Describe 'x' {", TestContext.Current.CancellationToken);

        var outcomes = await Run(new PesterSuite { Files = PesterSuite.FilesIn(_folder.Path), Required = false });
        Assert.SkipWhen(outcomes is [{ Name: "Suite", Result: "Skipped" }], "There is no PowerShell with Pester 6.");
        Assert.Equal("Passed", Result("Sample.good.passes"));
        Assert.Equal("Failed", Result("Sample.good.fails"));
        Assert.Equal("Skipped", Result("Sample.good.is skipped"));
        Assert.Equal("Skipped", Result("Sample.far.inner.waits"));
        Assert.Equal("there is no server", outcomes.Single(outcome => outcome.Name == "Sample.far.inner.waits").Message);
        Assert.Equal("Failed", Result("Sample.bad.never runs"));
        Assert.Contains(outcomes, outcome => outcome.Result == "Failed" && outcome.Message.Contains("no setup", StringComparison.Ordinal));
        Assert.Contains(outcomes, outcome => outcome.Result == "Failed" && outcome.Name.Contains("Broken", StringComparison.Ordinal));

        string Result(string name) => Assert.Single(outcomes, outcome => outcome.Name == name).Result;
    }

    private static async Task<IReadOnlyList<PesterOutcome>> Run(PesterSuite suite)
    {
        var outcomes = new List<PesterOutcome>();
        await suite.RunAsync(file => outcomes.AddRange(file.Outcomes), TestContext.Current.CancellationToken);
        return outcomes;
    }

    /// <summary>A suite that knows no PowerShell but one in this folder, and has the files written there.</summary>
    private PesterSuite Here(int processes = 2, bool required = false, TimeSpan? timeout = null)
    {
        File.WriteAllText(_folder["dotnet-tools.json"], """{ "version": 1, "isRoot": true, "tools": {} }""");
        if (PesterSuite.FilesIn(_folder.Path).Count == 0)
            WriteFiles("Some");

        return new PesterSuite
        {
            Tools = _folder.Path,
            SearchPath = _folder.Path,
            Files = PesterSuite.FilesIn(_folder.Path),
            Processes = processes,
            Required = required,
            Timeout = timeout ?? TimeSpan.FromMinutes(1),
        };
    }

    private void WriteFiles(params string[] names)
    {
        foreach (var name in names)
            File.WriteAllText(_folder[name + ".Tests.ps1"], "");
    }

    private void WriteFakePowerShell(string script)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The stand-in for PowerShell is a shell script.");
        var file = _folder["pwsh"];
        File.WriteAllText(file, $"#!/bin/sh\nPATH=/usr/bin:/bin\n{script.Replace("FOLDER", _folder.Path, StringComparison.Ordinal)}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
