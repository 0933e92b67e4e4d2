using System.Diagnostics;

namespace Lockstep.Bench.Gossip;

/// <summary>A temporary folder with npm's scuttlebutt and the script that drives it.</summary>
internal sealed class NpmFolder : IDisposable
{
    public NpmFolder()
    {
        Path = Directory.CreateTempSubdirectory("lockstep-bench-").FullName;
        foreach (var file in Directory.EnumerateFiles(System.IO.Path.Combine(AppContext.BaseDirectory, "npm-peer")))
        {
            File.Copy(file, System.IO.Path.Combine(Path, System.IO.Path.GetFileName(file)));
        }

        using var npm = Process.Start(
            new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]) { WorkingDirectory = Path }
        )!;
        npm.WaitForExit();
        if (npm.ExitCode != 0)
        {
            throw new InvalidOperationException("npm could not install scuttlebutt.");
        }
    }

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
