using System.Diagnostics;

namespace Lockstep.Pester.Tests;

/// <summary>The style of the C# is that of one program, pinned in the tool manifest.</summary>
public sealed class FormattingTests
{
    [Fact]
    public async Task All_of_the_C_sharp_is_formatted()
    {
        Assert.SkipUnless(await RunAsync("--version") is (0, _), "CSharpier could not be restored (dotnet tool restore says why).");

        var (exitCode, output) = await RunAsync("check", "src", "tests", "bench", "examples");

        Assert.True(exitCode == 0, output);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["csharpier", .. arguments])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var cancel = TestContext.Current.CancellationToken;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancel),
            error = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, await output + await error);
    }
}
