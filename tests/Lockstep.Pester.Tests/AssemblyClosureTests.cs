using System.Runtime.Loader;
using Lockstep.Staging;
using Lockstep.Testing;
using Mono.Cecil;

namespace Lockstep.Pester.Tests;

/// <summary>The part of ASP.NET Core that ships with the module, checked against the installed framework.</summary>
public sealed class AssemblyClosureTests
{
    private static readonly string Shared = Path.GetFullPath(Path.Combine(typeof(object).Assembly.Location, "../../.."));
    private static readonly SharedFramework AspNet = SharedFramework.Newest(Shared, "Microsoft.AspNetCore.App", Environment.Version.Major);
    private static readonly SharedFramework Runtime = SharedFramework.Newest(Shared, "Microsoft.NETCore.App", Environment.Version.Major);

    [Fact]
    public void Kestrels_closure_is_closed_and_holds_nothing_of_dotnet_itself()
    {
        var kestrel = AspNet.Find("Microsoft.AspNetCore.Server.Kestrel.Core")!;
        var closure = AssemblyClosure.Compute([kestrel], AspNet, Runtime);
        var names = closure.Select(Path.GetFileNameWithoutExtension).Append("Microsoft.AspNetCore.Server.Kestrel.Core").ToHashSet();

        Assert.Contains("Microsoft.AspNetCore.Http.Features", names);
        Assert.DoesNotContain(names, name => Runtime.Contains(name!));
        Assert.All(
            closure,
            file => Assert.All(AssemblyClosure.References(file), name => Assert.True(Runtime.Contains(name) || names.Contains(name), name))
        );
    }

    [Fact]
    public void A_copy_is_plain_IL_and_loads()
    {
        using var folder = new TempFolder();
        var source = AspNet.Find("Microsoft.AspNetCore.Http.Features")!;
        var target = folder["Microsoft.AspNetCore.Http.Features.dll"];
        PortableCopy.Refresh(source, target);

        using (var module = ModuleDefinition.ReadModule(target))
        {
            Assert.Equal(TargetArchitecture.I386, module.Architecture);
            Assert.Equal(ModuleAttributes.ILOnly, module.Attributes);
        }

        var context = new AssemblyLoadContext("copy", isCollectible: true);
        using (var stream = File.OpenRead(target))
        {
            Assert.NotNull(
                context.LoadFromStream(stream).GetType("Microsoft.AspNetCore.Http.Features.IHttpRequestFeature", throwOnError: true)
            );
        }

        context.Unload();
    }

    [Fact]
    public void What_is_current_is_not_written_again()
    {
        using var folder = new TempFolder();
        var target = folder["copy.dll"];
        PortableCopy.Refresh(AspNet.Find("Microsoft.AspNetCore.Http.Features")!, target);
        var first = File.GetLastWriteTimeUtc(target);
        PortableCopy.Refresh(AspNet.Find("Microsoft.AspNetCore.Http.Features")!, target);
        Assert.Equal(first, File.GetLastWriteTimeUtc(target));

        PortableCopy.Refresh(AspNet.Find("Microsoft.Extensions.Features")!, target);
        using var module = ModuleDefinition.ReadModule(target);
        Assert.Equal("Microsoft.Extensions.Features", module.Assembly.Name.Name);
    }

    [Fact]
    public void The_newest_patch_is_taken_and_a_release_before_its_preview()
    {
        using var shared = new TempFolder();
        foreach (var version in new[] { "9.0.20", "10.0.2", "10.0.12", "10.0.12-rc.1", "11.0.0", "notes" })
            Directory.CreateDirectory(Path.Combine(shared.Path, "Some.App", version));

        Assert.Equal("10.0.12", Path.GetFileName(SharedFramework.Newest(shared.Path, "Some.App", 10).Folder));
        var problem = Assert.Throws<StagingException>(() => SharedFramework.Newest(shared.Path, "Other.App", 10));
        Assert.Contains("Install the ASP.NET Core runtime", problem.Message, StringComparison.Ordinal);
    }
}
