using System.Diagnostics;

namespace Lockstep.Bench.Gossip;

/// <summary>A temporary folder with packages of npm.</summary>
internal sealed class NpmFolder : IDisposable
{
    private NpmFolder(params string[] npm)
    {
        Path = Directory.CreateTempSubdirectory("lockstep-bench-").FullName;
        Arguments = [.. npm, "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
    }

    public string Path { get; }

    private string[] Arguments { get; }

    /// <summary>npm's scuttlebutt and the script that drives it.</summary>
    public static NpmFolder WithScuttlebutt()
    {
        var folder = new NpmFolder("ci");
        foreach (var file in Directory.EnumerateFiles(System.IO.Path.Combine(AppContext.BaseDirectory, "npm-peer")))
            File.Copy(file, System.IO.Path.Combine(folder.Path, System.IO.Path.GetFileName(file)));
        return folder.Install();
    }

    /// <param name="package">A package with its version.</param>
    public static NpmFolder With(string package) => new NpmFolder("install", package).Install();

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private NpmFolder Install()
    {
        using var npm = Process.Start(new ProcessStartInfo("npm", Arguments) { WorkingDirectory = Path })!;
        npm.WaitForExit();
        if (npm.ExitCode == 0)
            return this;
        Dispose();
        throw new InvalidOperationException($"npm could not install what is wanted: npm {string.Join(' ', Arguments)}");
    }
}
