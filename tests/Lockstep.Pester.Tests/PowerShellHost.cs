using System.ComponentModel;
using System.Diagnostics;

namespace Lockstep.Pester.Tests;

/// <summary>How PowerShell is started on this machine.</summary>
/// <param name="FileName">The program.</param>
/// <param name="Arguments">What comes before PowerShell's own arguments.</param>
internal sealed record PowerShellHost(string FileName, params string[] Arguments)
{
    /// <summary>The <c>pwsh</c> of the search path, else the one of the tool manifest if that has been restored, else null.</summary>
    /// <param name="searchPath">Folders as in the variable PATH.</param>
    public static PowerShellHost? Find(string searchPath)
    {
        var name = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        var found = searchPath
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
        return found is not null ? new PowerShellHost(found)
            : new PowerShellHost("dotnet", "tool", "run", "pwsh") is var tool && tool.Answers(searchPath) ? tool
            : null;
    }

    /// <summary>How to start it: in the repository, with this search path, without a profile and without asking anything.</summary>
    public ProcessStartInfo StartInfo(string searchPath, params string[] arguments)
    {
        var start = new ProcessStartInfo(FileName, [.. Arguments, "-NoProfile", "-NonInteractive", .. arguments])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = searchPath;
        start.Environment["NO_COLOR"] = "1";
        start.Environment["POWERSHELL_TELEMETRY_OPTOUT"] = "1";
        start.Environment["POWERSHELL_UPDATECHECK"] = "Off";
        return start;
    }

    private bool Answers(string searchPath)
    {
        try
        {
            using var process = Process.Start(StartInfo(searchPath, "-Version"))!;
            process.StandardInput.Close();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            if (process.WaitForExit(TimeSpan.FromSeconds(30)))
                return process.ExitCode == 0;

            process.Kill(entireProcessTree: true);
            return false;
        }
        catch (Win32Exception)
        {
            // No dotnet on the search path either.
            return false;
        }
    }
}
