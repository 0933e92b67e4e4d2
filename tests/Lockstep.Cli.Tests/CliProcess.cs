using System.Diagnostics;

namespace Lockstep.Cli.Tests;

/// <summary>
/// lockstep as a process: what it prints and how it ends. The environment variable LOCKSTEP_CLI names another program to test, such as the
/// native one.
/// </summary>
internal sealed record CliProcess(int ExitCode, string Output, string Error)
{
    private static readonly string? Native = Environment.GetEnvironmentVariable("LOCKSTEP_CLI");

    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Runs it to its end in a folder.</summary>
    public static async Task<CliProcess> RunAsync(string folder, params string[] arguments)
    {
        using var process = Start(folder, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new CliProcess(process.ExitCode, await output, await error);
    }

    /// <summary>Starts it; the caller ends it.</summary>
    public static Process Start(string folder, params string[] arguments) => Start(folder, [], arguments);

    /// <summary>Starts it with further environment variables; the caller ends it.</summary>
    public static Process Start(string folder, Dictionary<string, string> environment, string[] arguments)
    {
        var start = Info(arguments);
        start.WorkingDirectory = folder;
        foreach ((var name, var value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>How to start it, with output and errors redirected.</summary>
    public static ProcessStartInfo Info(params string[] arguments) =>
        new(Native ?? "dotnet", Native is null ? [Path.Combine(AppContext.BaseDirectory, "lockstep.dll"), .. arguments] : arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
}
