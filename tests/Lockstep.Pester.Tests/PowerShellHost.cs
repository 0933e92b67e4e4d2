using System.ComponentModel;
using System.Diagnostics;

namespace Lockstep.Pester.Tests;

/// <summary>How to start PowerShell on this machine.</summary>
/// <param name="Folder">The folder in which it starts. The tool manifest is searched for there and above.</param>
/// <param name="SearchPath">The folders in which it finds programs, as in the variable PATH.</param>
/// <param name="FileName">The program.</param>
/// <param name="Arguments">What precedes PowerShell's own arguments.</param>
internal sealed record PowerShellHost(string Folder, string SearchPath, string FileName, params string[] Arguments)
{
    /// <summary>The tool of the manifest if it has been restored, else the <c>pwsh</c> of the search path, else null.</summary>
    /// <param name="folder">The folder of the manifest.</param>
    /// <param name="searchPath">Folders as in the variable PATH.</param>
    public static PowerShellHost? Find(string folder, string searchPath)
    {
        var tool = new PowerShellHost(folder, searchPath, "dotnet", "tool", "run", "pwsh", "--");
        if (tool.Answers())
            return tool;

        var name = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        var found = searchPath
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(entry => Path.Combine(entry, name))
            .FirstOrDefault(File.Exists);
        return found is null ? null : new PowerShellHost(folder, searchPath, found);
    }

    /// <summary>How to start it: without a profile and without prompts.</summary>
    public ProcessStartInfo StartInfo(params string[] arguments)
    {
        var start = new ProcessStartInfo(FileName, [.. Arguments, "-NoProfile", "-NonInteractive", .. arguments])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = SearchPath;
        start.Environment["NO_COLOR"] = "1";
        start.Environment["POWERSHELL_TELEMETRY_OPTOUT"] = "1";
        start.Environment["POWERSHELL_UPDATECHECK"] = "Off";
        return start;
    }

    private bool Answers()
    {
        try
        {
            using var process = Process.Start(StartInfo("-Version"))!;
            process.StandardInput.Close();
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            // Long, because a busy machine must not count as one without PowerShell.
            if (process.WaitForExit(TimeSpan.FromMinutes(3)))
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
