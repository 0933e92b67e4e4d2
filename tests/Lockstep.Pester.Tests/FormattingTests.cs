using System.Diagnostics;
using System.Globalization;

namespace Lockstep.Pester.Tests;

/// <summary>One program defines the C# style; the tool manifest pins it.</summary>
public sealed class FormattingTests
{
    private const StringComparison Same = StringComparison.Ordinal;
    private static readonly string[] Folders = ["src", "tests", "bench", "examples", "build"];

    [Fact]
    public async Task All_of_the_C_sharp_is_formatted()
    {
        Assert.SkipUnless(await RunAsync("--version") is (0, _), "CSharpier could not be restored (dotnet tool restore says why).");

        var (exitCode, output) = await RunAsync("check", "src", "tests", "bench", "examples");

        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public void No_line_of_C_sharp_or_PowerShell_is_longer_than_the_style_says()
    {
        var limit = int.Parse(
            File.ReadLines(Path.Combine(Repository.Root, ".editorconfig")).Single(line => line.StartsWith("max_line_length", Same))[^3..],
            CultureInfo.InvariantCulture
        );
        var scripts = Directory.EnumerateFiles(Repository.Root).Where(IsCode);
        var longer = Folders
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*", SearchOption.AllDirectories))
            .Where(IsCode)
            .Concat(scripts)
            .SelectMany(file =>
                File.ReadLines(file)
                    .Index()
                    .Where(line => line.Item.EnumerateRunes().Count() > limit)
                    .Select(line => $"{Path.GetRelativePath(Repository.Root, file)}({line.Index + 1})")
            );

        Assert.Empty(longer);
    }

    private static bool IsCode(string file) =>
        Path.GetExtension(file) is ".cs" or ".ps1" or ".psm1" or ".psd1"
        && !Path.GetRelativePath(Repository.Root, file)
            .Split(Path.DirectorySeparatorChar)
            .Any(part => part is "bin" or "obj" or "node_modules");

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
