using System.Text;
using System.Text.RegularExpressions;
using Mono.Cecil;

namespace Lockstep.Pester.Tests;

/// <summary>What the files of the staged module show: it is complete, and it runs anywhere.</summary>
public sealed partial class StagedModuleTests
{
    private static readonly string Dependencies = Path.Combine(Repository.StagedModule, "deps");
    private static readonly string CmdletAssembly = Path.Combine(Repository.StagedModule, "Lockstep.PowerShell.dll");
    private static readonly string Manifest = File.ReadAllText(Path.Combine(Repository.StagedModule, "Lockstep.psd1"));

    [Fact]
    public void Every_reference_of_every_assembly_is_shipped_or_part_of_dotnet()
    {
        var shipped = Directory.GetFiles(Dependencies, "*.dll").ToDictionary(file => Path.GetFileNameWithoutExtension(file)!, AssemblyName);
        var runtime = Directory
            .GetFiles(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "*.dll")
            .Select(Path.GetFileNameWithoutExtension)
            .ToHashSet();

        Assert.All(
            Directory.GetFiles(Dependencies, "*.dll").Append(CmdletAssembly),
            file =>
            {
                var missing = References(file)
                    .Where(reference =>
                        !runtime.Contains(reference.Name)
                        && !(shipped.TryGetValue(reference.Name, out var found) && found.Version >= reference.Version)
                    );
                Assert.Equal(file == CmdletAssembly ? ["System.Management.Automation"] : [], missing.Select(reference => reference.Name));
            }
        );
    }

    [Fact]
    public void Nothing_is_shipped_that_dotnet_has()
    {
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        Assert.DoesNotContain(
            Directory.GetFiles(Dependencies, "*.dll"),
            file => File.Exists(Path.Combine(runtime, Path.GetFileName(file)))
        );
    }

    [Fact]
    public void No_assembly_holds_code_for_one_platform_only()
    {
        Assert.All(
            Directory
                .GetFiles(Repository.StagedModule, "*.dll", SearchOption.AllDirectories)
                .Where(file => !file.Contains("runtimes", StringComparison.Ordinal)),
            file =>
            {
                using var module = ModuleDefinition.ReadModule(file);
                Assert.Equal(TargetArchitecture.I386, module.Architecture);
                Assert.True(module.Attributes.HasFlag(ModuleAttributes.ILOnly));
            }
        );
    }

    [Fact]
    public void Native_sqlite_is_there_for_the_platforms_we_claim_and_no_other()
    {
        var runtimes = Path.Combine(Dependencies, "runtimes");
        var files = Directory
            .GetFiles(runtimes, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(runtimes, file).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);
        Assert.Equal(
            [
                "linux-arm64/native/libe_sqlite3.so",
                "linux-musl-arm64/native/libe_sqlite3.so",
                "linux-musl-x64/native/libe_sqlite3.so",
                "linux-x64/native/libe_sqlite3.so",
                "osx-arm64/native/libe_sqlite3.dylib",
                "osx-x64/native/libe_sqlite3.dylib",
                "win-arm64/native/e_sqlite3.dll",
                "win-x64/native/e_sqlite3.dll",
            ],
            files
        );
    }

    [Fact]
    public void The_top_of_the_module_is_the_cmdlet_assembly_and_no_other()
    {
        var top = Directory.GetFiles(Repository.StagedModule).Select(Path.GetFileName).Order(StringComparer.Ordinal);
        Assert.Equal(
            ["LICENSE", "Lockstep.PowerShell.dll", "Lockstep.format.ps1xml", "Lockstep.psd1", "THIRD-PARTY-NOTICES.txt", "sbom.cdx.json"],
            top
        );
    }

    [Fact]
    public void The_manifest_exports_the_cmdlets_of_the_assembly()
    {
        Assert.Equal<IEnumerable<string>>(Cmdlets(), Quoted(Section("CmdletsToExport")));
    }

    [Fact]
    public void Manifest_and_assembly_have_one_version()
    {
        Assert.Equal(AssemblyName(CmdletAssembly).Version.ToString(3), Quoted(Section("ModuleVersion")).First());
    }

    /// <summary>The module has its own enumerations, which are cast to the engine's.</summary>
    [Theory]
    [InlineData("ChangeKind", "Tables.ChangeKind")]
    [InlineData("CursorStyle", "Feed.CursorStyle")]
    [InlineData("EndReason", "Sync.SyncEndReason")]
    [InlineData("FeedEventKind", "Sync.FeedEventKind")]
    [InlineData("FeedDialect", "Records.Dialect")]
    [InlineData("MalformedRecordAction", "Sync.MalformedRecordPolicy")]
    [InlineData("SyncState", "Sync.SyncPhase")]
    public void Enumerations_have_the_members_of_the_engines(string shown, string engine)
    {
        Assert.Equal(
            Members(Path.Combine(Dependencies, "Lockstep.Engine.dll"), "Lockstep.Engine." + engine),
            Members(CmdletAssembly, "Lockstep." + shown)
        );

        static Dictionary<string, object> Members(string assembly, string type)
        {
            using var module = ModuleDefinition.ReadModule(assembly);
            return module.GetType(type).Fields.Where(field => field.IsStatic).ToDictionary(field => field.Name, field => field.Constant);
        }
    }

    /// <summary>PowerShell inspects the public types before the module's initializer can make the engine known.</summary>
    [Fact]
    public void No_public_type_shows_a_type_that_only_the_engine_context_can_load()
    {
        using var module = ModuleDefinition.ReadModule(CmdletAssembly);
        var shown = module
            .Types.Where(type => type.IsPublic)
            .SelectMany(WithNested)
            .SelectMany(type => Shown(type).Select(used => (type, used)));
        Assert.Empty(
            shown.Where(pair => TypeParts.Of(pair.used).Any(IsOfEngine)).Select(pair => $"{pair.type.FullName} shows {pair.used.FullName}")
        );
    }

    private static IEnumerable<TypeDefinition> WithNested(TypeDefinition type) =>
        type.NestedTypes.Where(nested => nested.IsNestedPublic).SelectMany(WithNested).Prepend(type);

    private static IEnumerable<TypeReference> Shown(TypeDefinition type) =>
        new[] { type.BaseType }
            .Concat(type.Interfaces.Select(face => face.InterfaceType))
            .Concat(type.Fields.Select(field => field.FieldType))
            .Concat(type.Properties.Select(property => property.PropertyType))
            .Concat(
                type.Methods.SelectMany(method => method.Parameters.Select(parameter => parameter.ParameterType).Append(method.ReturnType))
            )
            .OfType<TypeReference>();

    private static bool IsOfEngine(TypeReference type) =>
        type.Scope is AssemblyNameReference { Name: var name } && File.Exists(Path.Combine(Dependencies, name + ".dll"));

    private static string[] Cmdlets()
    {
        using var module = ModuleDefinition.ReadModule(CmdletAssembly);
        return module
            .Types.SelectMany(type => type.CustomAttributes)
            .Where(attribute => attribute.AttributeType.Name == "CmdletAttribute")
            .Select(attribute => CmdletName(attribute.GetBlob()))
            .Order(StringComparer.Ordinal)
            .ToArray();
    }

    /// <summary>
    /// Verb and noun are the attribute's first arguments, each a length and UTF-8. (Reading the others would need PowerShell's own
    /// assembly.)
    /// </summary>
    private static string CmdletName(byte[] blob)
    {
        const int Prolog = 2;
        var verb = Encoding.UTF8.GetString(blob, Prolog + 1, blob[Prolog]);
        var noun = Prolog + 1 + verb.Length;
        return $"{verb}-{Encoding.UTF8.GetString(blob, noun + 1, blob[noun])}";
    }

    private static string Section(string name) =>
        Regex.Match(Manifest, $@"^\s*{name}\s*=\s*(@\([^)]*\)|'[^']*')", RegexOptions.Multiline).Groups[1].Value;

    private static IEnumerable<string> Quoted(string text) => QuotedText().Matches(text).Select(match => match.Groups[1].Value);

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex QuotedText();

    private static AssemblyNameReference AssemblyName(string file)
    {
        using var module = ModuleDefinition.ReadModule(file);
        return module.Assembly.Name;
    }

    private static AssemblyNameReference[] References(string file)
    {
        using var module = ModuleDefinition.ReadModule(file);
        return [.. module.AssemblyReferences];
    }
}
