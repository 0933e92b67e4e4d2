namespace Lockstep.Staging;

/// <summary>One installed version of a shared framework: a folder of implementation assemblies.</summary>
internal sealed class SharedFramework
{
    private readonly Dictionary<string, string> _assemblies;

    private SharedFramework(string folder)
    {
        Folder = folder;
        _assemblies = Directory
            .EnumerateFiles(folder, "*.dll")
            .ToDictionary(file => Path.GetFileNameWithoutExtension(file), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Full path of the folder.</summary>
    public string Folder { get; }

    /// <summary>The newest installed patch of a major version: that is the one with the security fixes.</summary>
    /// <param name="shared">The <c>shared</c> directory of a .NET installation.</param>
    /// <param name="name">The framework's name, such as <c>Microsoft.AspNetCore.App</c>.</param>
    /// <param name="major">The major version wanted.</param>
    /// <exception cref="StagingException">No such framework is installed there.</exception>
    public static SharedFramework Newest(string shared, string name, int major)
    {
        var home = Path.Combine(shared, name);
        var newest = Directory.Exists(home)
            ? Directory
                .EnumerateDirectories(home)
                .Select(folder => (folder, version: ParseVersion(Path.GetFileName(folder))))
                .Where(found => found.version.Number.Major == major)
                .OrderBy(found => found.version)
                .Select(found => found.folder)
                .LastOrDefault()
            : null;
        return newest is not null
            ? new SharedFramework(newest)
            : throw new StagingException(
                $"No {name} {major}.x in '{Path.GetFullPath(shared)}'. Install the ASP.NET Core runtime {major} beside the SDK "
                    + $"(Microsoft's SDK brings it; some Linux distributions have it as a package of its own)."
            );
    }

    /// <summary>Whether the framework holds an assembly of this simple name.</summary>
    public bool Contains(string assembly) => _assemblies.ContainsKey(assembly);

    /// <summary>The path of the assembly of this simple name, or null.</summary>
    public string? Find(string assembly) => _assemblies.GetValueOrDefault(assembly);

    /// <summary>A release sorts after its own previews; a folder that is no version sorts first.</summary>
    private static (Version Number, bool Release) ParseVersion(string folder)
    {
        var dash = folder.IndexOf('-', StringComparison.Ordinal);
        var number = dash < 0 ? folder : folder[..dash];
        return (Version.TryParse(number, out var version) ? version : new Version(0, 0), dash < 0);
    }
}
