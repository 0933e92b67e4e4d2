using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Lockstep.Testing;

/// <summary>
/// npm packages with the programs that use them, installed on first use into a temporary folder. If node or npm is missing, tests are
/// skipped; in CI that is a failure.
/// </summary>
public abstract class NpmPackages : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Lazy<string?> _problem;

    /// <param name="folder">A folder beside the tests, with a package.json, its lock and the programs.</param>
    /// <param name="what">What they are, for the reason of a skip.</param>
    protected NpmPackages(string folder, string what) => _problem = new Lazy<string?>(() => Install(folder, what));

    public string Folder => _folder.Path;

    public void Require()
    {
        if (_problem.Value is { } problem)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is not null, problem);
            Assert.Fail(problem);
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    private string? Install(string folder, string what)
    {
        foreach (var file in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, folder)))
            File.Copy(file, _folder[Path.GetFileName(file)]);
        try
        {
            var windows = OperatingSystem.IsWindows();
            var start = new ProcessStartInfo(windows ? "cmd" : "npm")
            {
                WorkingDirectory = _folder.Path,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (
                var argument in (string[])[.. windows ? (string[])["/c", "npm"] : [], "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            )
            {
                start.ArgumentList.Add(argument);
            }

            using var npm = Process.Start(start)!;
            _ = npm.StandardError.ReadToEndAsync();
            _ = npm.StandardOutput.ReadToEndAsync();
            if (!npm.WaitForExit(TimeSpan.FromMinutes(2)))
            {
                npm.Kill(entireProcessTree: true);
                return $"npm did not install {what} within two minutes.";
            }

            return npm.ExitCode == 0
                ? null
                : $"npm could not install {what}: exit code {npm.ExitCode.ToString(CultureInfo.InvariantCulture)}";
        }
        catch (Win32Exception)
        {
            return $"node and npm are needed for {what}, and are not here.";
        }
    }
}
