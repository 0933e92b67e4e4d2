using System.Text.RegularExpressions;
using System.Xml.Linq;
using Mono.Cecil;

namespace Lockstep.Engine.Tests;

/// <summary>What may know what: nothing points upwards, and nothing in a circle.</summary>
public sealed partial class ArchitectureTests
{
    /// <summary>The projects in layers; each knows only those of the layers before its own.</summary>
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

    /// <summary>The first table of docs/ARCHITECTURE.md has each project with what it refers to.</summary>
    [Fact]
    public void The_document_names_every_project_with_its_references()
    {
        var rows = ProjectRow().Matches(Document()).ToDictionary(row => row.Groups["name"].Value, row => row.Groups["references"].Value);
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

    /// <summary>Its second table has each project's folders.</summary>
    [Fact]
    public void The_document_names_every_folder()
    {
        var rows = FolderRow().Matches(Document()).ToDictionary(row => row.Groups["name"].Value, row => row.Groups["folders"].Value);

        Assert.Empty(
            from project in Layers.SelectMany(layer => layer)
            let row = rows[project["Lockstep.".Length..]]
            where !row.Contains("CONTRIBUTING.md", StringComparison.Ordinal)
            from folder in Directory.GetDirectories(Path.Combine(Sources(), project)).Select(folder => Path.GetFileName(folder)!)
            where folder is not ("bin" or "obj") && !row.Contains($"`{folder}`", StringComparison.Ordinal)
            select $"{project}/{folder}"
        );
    }

    [Theory]
    [InlineData("Lockstep.Engine")]
    [InlineData("Lockstep.Serving")]
    [InlineData("Lockstep.TestServer")]
    public void No_namespaces_know_each_other_in_a_circle(string assembly)
    {
        using var module = ModuleDefinition.ReadModule(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));
        var uses = new SortedDictionary<string, SortedDictionary<string, string>>(StringComparer.Ordinal);
        foreach (var type in module.GetTypes())
        {
            var mine = NamespaceOf(type);
            foreach (var used in UsedBy(type).Where(used => used.Scope == module && NamespaceOf(used) != mine))
            {
                if (!uses.TryGetValue(mine, out var others))
                    uses[mine] = others = new SortedDictionary<string, string>(StringComparer.Ordinal);
                others.TryAdd(NamespaceOf(used), $"{type.FullName} uses {used.FullName}");
            }
        }

        Assert.NotEmpty(uses);
        Assert.Null(FindCircle(uses));
    }

    /// <summary>
    /// A name means one thing in the whole house. The module's own types are apart: PowerShell shows users types named like the engine's,
    /// which may not appear in its signatures.
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

    [Fact]
    public void A_circle_is_found_and_named()
    {
        var uses = new SortedDictionary<string, SortedDictionary<string, string>>
        {
            ["A"] = new() { ["B"] = "a uses b" },
            ["B"] = new() { ["C"] = "b uses c" },
            ["C"] = new() { ["B"] = "c uses b" },
        };

        Assert.Equal("b uses c; c uses b", FindCircle(uses));
    }

    private static string FileOf(string project) => Path.Combine(Sources(), project, project + ".csproj");

    private static IEnumerable<string> References(string project) =>
        XDocument
            .Load(FileOf(project))
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

    private static string Document() => File.ReadAllText(Path.Combine(Sources(), "..", "docs", "ARCHITECTURE.md"));

    /// <summary>The uses along one circle; null when there is none.</summary>
    private static string? FindCircle(SortedDictionary<string, SortedDictionary<string, string>> uses)
    {
        var done = new HashSet<string>();
        var path = new List<string>();
        return uses.Keys.Select(Visit).FirstOrDefault(circle => circle is not null);

        string? Visit(string name)
        {
            if (path.IndexOf(name) is >= 0 and var start)
            {
                List<string> circle = [.. path[start..], name];
                return string.Join("; ", circle.Zip(circle.Skip(1), (user, used) => uses[user][used]));
            }

            if (!uses.TryGetValue(name, out var others) || !done.Add(name))
                return null;
            path.Add(name);
            var found = others.Keys.Select(Visit).FirstOrDefault(circle => circle is not null);
            path.RemoveAt(path.Count - 1);
            return found;
        }
    }

    private static IEnumerable<TypeReference> UsedBy(TypeDefinition type)
    {
        var members = type
            .CustomAttributes.Select(attribute => attribute.AttributeType)
            .Concat(type.Interfaces.Select(implemented => implemented.InterfaceType))
            .Concat(type.Fields.Select(field => field.FieldType))
            .Concat(type.Methods.SelectMany(UsedBy));
        if (type.BaseType is { } parent)
            members = members.Prepend(parent);
        return members.SelectMany(Parts);
    }

    private static IEnumerable<TypeReference> UsedBy(MethodDefinition method)
    {
        var signature = method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType);
        if (!method.HasBody)
            return signature;
        return signature
            .Concat(method.Body.Variables.Select(variable => variable.VariableType))
            .Concat(method.Body.Instructions.SelectMany(instruction => UsedBy(instruction.Operand)));
    }

    private static IEnumerable<TypeReference> UsedBy(object? operand) =>
        operand switch
        {
            TypeReference type => [type],
            GenericInstanceMethod generic => [.. generic.GenericArguments, .. UsedBy(generic.ElementMethod)],
            MethodReference method => [method.DeclaringType, method.ReturnType, .. method.Parameters.Select(p => p.ParameterType)],
            FieldReference field => [field.DeclaringType, field.FieldType],
            _ => [],
        };

    /// <summary>A type and those it is made of: of an array its element's, of a generic one its arguments.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference type) =>
        type switch
        {
            FunctionPointerType pointer => pointer.Parameters.Select(p => p.ParameterType).Append(pointer.ReturnType).SelectMany(Parts),
            GenericInstanceType generic => generic.GenericArguments.SelectMany(Parts).Append(generic.ElementType),
            TypeSpecification made => Parts(made.ElementType),
            _ => [type],
        };

    private static string NamespaceOf(TypeReference type)
    {
        while (type.DeclaringType is { } outer)
            type = outer;
        return type.Namespace;
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Lockstep.PS.sln")))
                return Path.Combine(folder.FullName, "src");
        }

        throw new DirectoryNotFoundException("The tests do not lie within the repository.");
    }

    [GeneratedRegex(
        @"^\| `(?<name>Lockstep\.\w+)` \|[^|]*\| ?(?<references>[^|]*?) ?\|$",
        RegexOptions.Multiline | RegexOptions.CultureInvariant
    )]
    private static partial Regex ProjectRow();

    [GeneratedRegex(@"^\| (?<name>\w+) \| (?<folders>[^|]*) \|$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex FolderRow();

    [GeneratedRegex(@"(?<=`)Lockstep\.\w+(?=`)", RegexOptions.CultureInvariant)]
    private static partial Regex Quoted();

    [GeneratedRegex(
        @"^(public|internal) ([a-z]+ )*(class|record struct|record|struct|interface|enum) (?<name>\w+)",
        RegexOptions.Multiline | RegexOptions.CultureInvariant
    )]
    private static partial Regex TypeDeclaration();
}
