using System.Text.RegularExpressions;
using System.Xml.Linq;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What may use what: each project and each folder only those below it, so that no two use each other in a cycle.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>The projects in layers; each references only those of the layers before its own.</summary>
    private static readonly string[][] Layers =
    [
        ["Lockstep.Engine"],
        ["Lockstep.Gossip", "Lockstep.Ticks"],
        ["Lockstep.Serving"],
        ["Lockstep.TestServer", "Lockstep.Postgres", "Lockstep.Redis"],
        ["Lockstep.PowerShell", "Lockstep.Cli"],
    ];

    [Fact]
    public void No_project_refers_to_one_of_its_own_layer_or_above()
    {
        var sources = Sources();
        var projects = Directory.GetDirectories(sources).Select(folder => Path.GetFileName(folder)!).ToHashSet();
        Assert.Equal(Layers.SelectMany(layer => layer).Order(), projects.Where(IsProject).Order());

        Assert.Empty(
            from project in projects.Where(IsProject)
            from reference in References(project)
            where LayerOf(reference) >= LayerOf(project)
            select $"{project} refers to {reference}"
        );

        static bool IsProject(string name) => File.Exists(FileOf(name));

        static int LayerOf(string project) => Array.FindIndex(Layers, layer => layer.Contains(project));
    }

    /// <summary>The first table of docs/ARCHITECTURE.md lists each project with its references.</summary>
    [Fact]
    public void The_document_names_every_project_with_its_references()
    {
        var rows = ProjectRow()
            .Matches(Document("docs/ARCHITECTURE.md"))
            .ToDictionary(row => row.Groups["name"].Value, row => row.Groups["references"].Value);
        var projects = Layers.SelectMany(layer => layer).ToArray();

        Assert.Equal(projects.Order(), rows.Keys.Order());
        Assert.Empty(
            from project in projects
            let listed = rows[project] == "all of these"
                ? projects.Except(Layers[^1])
                : Quoted().Matches(rows[project]).Select(m => m.Value)
            from name in References(project)
                .Except(listed)
                .Select(extra => $"{project} refers to {extra}")
                .Concat(listed.Except(References(project)).Select(missing => $"{project} does not refer to {missing}"))
            select name
        );
    }

    public static TheoryData<string> Projects => [.. Layers.SelectMany(layer => layer)];

    /// <summary>
    /// The document lists each project's folders from the lowest to the highest, and what is outside them as <c>.</c>; a folder uses only
    /// those before it.
    /// </summary>
    [Theory]
    [MemberData(nameof(Projects))]
    public void A_folder_uses_only_those_listed_below_it(string project)
    {
        var uses = FolderUses.Of(project);
        var folders = FoldersOf(project);

        Assert.Equal(folders.Order(), uses.Keys.Order());
        Assert.Empty(UpwardUses(uses, folders));
    }

    /// <summary>Without this, the test above could pass because it sees nothing.</summary>
    [Fact]
    public void Uses_by_attributes_extension_methods_and_exception_handlers_are_seen()
    {
        var module = FolderUses.Of("Lockstep.PowerShell");
        Assert.Contains("Completers", module["Bases"].Keys);
        Assert.Contains("TestServers", module["Commands"].Keys);
        Assert.Contains("Faults/Stages", FolderUses.Of("Lockstep.TestServer")["Faults"].Keys);
    }

    [Fact]
    public void An_upward_use_is_found_and_named()
    {
        var uses = new Dictionary<string, Dictionary<string, string>>
        {
            ["A"] = new() { ["C"] = "a uses c" },
            ["B"] = new() { ["A"] = "b uses a" },
            ["C"] = new() { ["B"] = "c uses b" },
        };

        Assert.Equal(["A uses C above it: a uses c"], UpwardUses(uses, ["A", "B", "C"]));
    }

    /// <summary>
    /// A name means one thing everywhere. The module is an exception: it shows users types with the engine's names, because its signatures
    /// may not contain the engine's.
    /// </summary>
    [Fact]
    public void No_two_projects_have_a_type_of_the_same_name()
    {
        var declaration = TypeDeclaration();
        var types =
            from project in Layers.SelectMany(layer => layer).Except(["Lockstep.PowerShell"])
            from file in Directory.EnumerateFiles(Path.Combine(Sources(), project), "*.cs", SearchOption.AllDirectories)
            let folder = Path.GetRelativePath(Path.Combine(Sources(), project), file).Split(Path.DirectorySeparatorChar)[0]
            where folder is not ("obj" or "bin")
            from Match match in declaration.Matches(File.ReadAllText(file))
            select (Name: match.Groups["name"].Value, Project: project);
        var all = types.Distinct().ToArray();

        Assert.True(all.Length > 500);
        Assert.Empty(
            from type in all.Where(type => type.Name != "Program")
            group type.Project by type.Name into named
            where named.Count() > 1
            select $"{named.Key}: {string.Join(", ", named)}"
        );
    }

    private static IEnumerable<string> UpwardUses(Dictionary<string, Dictionary<string, string>> uses, string[] folders) =>
        from folder in uses
        from used in folder.Value
        where Array.IndexOf(folders, used.Key) > Array.IndexOf(folders, folder.Key)
        select $"{folder.Key} uses {used.Key} above it: {used.Value}";

    /// <summary>A project's folders from the lowest to the highest. CONTRIBUTING.md lists those of the module, from the highest.</summary>
    private static string[] FoldersOf(string project)
    {
        var row = FolderRow().Matches(Document("docs/ARCHITECTURE.md")).Single(row => $"Lockstep.{row.Groups["name"]}" == project);
        var folders = row.Groups["folders"].Value;
        return folders.Contains("CONTRIBUTING.md", StringComparison.Ordinal)
            ? [.. ModuleFolder().Matches(Document("CONTRIBUTING.md")).Select(folder => folder.Value).Reverse()]
            : [.. Folder().Matches(folders).Select(folder => folder.Value)];
    }

    private static string FileOf(string project) => Path.Combine(Sources(), project, project + ".csproj");

    private static IEnumerable<string> References(string project) =>
        XDocument
            .Load(FileOf(project))
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

    private static string Document(string path) => File.ReadAllText(RepositoryFile.PathOf(path));

    private static string Sources() => Path.Combine(Path.GetDirectoryName(RepositoryFile.PathOf("Lockstep.PS.sln"))!, "src");

    [GeneratedRegex(
        @"^\| `(?<name>Lockstep\.\w+)` \|[^|]*\| ?(?<references>[^|]*?) ?\|$",
        RegexOptions.Multiline | RegexOptions.CultureInvariant
    )]
    private static partial Regex ProjectRow();

    [GeneratedRegex(@"^\| (?<name>\w+) \| (?<folders>[^|]*) \|$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex FolderRow();

    [GeneratedRegex(@"(?<=(^|· )`)[\w./]+(?=`)", RegexOptions.CultureInvariant)]
    private static partial Regex Folder();

    [GeneratedRegex(@"(?<=^\|.*`)\w+(?=/`.*\|.*\|$)", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex ModuleFolder();

    [GeneratedRegex(@"(?<=`)Lockstep\.\w+(?=`)", RegexOptions.CultureInvariant)]
    private static partial Regex Quoted();

    [GeneratedRegex(
        @"^(public|internal) ([a-z]+ )*(class|record struct|record|struct|interface|enum) (?<name>\w+)",
        RegexOptions.Multiline | RegexOptions.CultureInvariant
    )]
    private static partial Regex TypeDeclaration();
}
