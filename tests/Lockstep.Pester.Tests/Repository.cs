namespace Lockstep.Pester.Tests;

/// <summary>Where the files under test are.</summary>
internal static class Repository
{
    /// <summary>The repository's top folder.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The staged module, which building this project brings up to date.</summary>
    public static string StagedModule => Path.Combine(Root, "out", "Lockstep");

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Lockstep.psd1")) || !Directory.Exists(Path.Combine(folder, "src")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("These tests run from within the repository.");

        return folder;
    }
}
