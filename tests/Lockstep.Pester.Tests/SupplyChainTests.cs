using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lockstep.Staging;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>The module records what it is made of, and no part with a known vulnerability ships.</summary>
public sealed partial class SupplyChainTests : IDisposable
{
    private static readonly DateTime Today = new(2026, 1, 31);
    private static readonly string Module = Repository.StagedModule;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_bill_names_the_ASP_NET_Core_that_is_in_the_module()
    {
        var parts = Parts(Path.Combine(Module, BillOfMaterials.FileName));
        var kestrel = FileVersionInfo.GetVersionInfo(Path.Combine(Module, "deps", "Microsoft.AspNetCore.Server.Kestrel.Core.dll"));

        Assert.Equal(parts[BillOfMaterials.AspNetCore], kestrel.ProductVersion!.Split('+')[0]);
    }

    [Fact]
    public void The_bill_names_each_package_that_is_in_the_module_and_none_besides()
    {
        var parts = Parts(Path.Combine(Module, BillOfMaterials.FileName));

        Assert.All(["Npgsql", "SQLite", "Microsoft.Data.Sqlite.Core"], name => Assert.Contains(name, parts.Keys));
        Assert.DoesNotContain("PowerShellStandard.Library", parts.Keys);
        Assert.DoesNotContain("Mono.Cecil", parts.Keys);
    }

    [Fact]
    public void The_module_as_it_is_has_no_known_hole() =>
        _ = KnownHoles
            .Check(
                Path.Combine(Repository.Root, "build", "known-holes.json"),
                Path.Combine(Module, BillOfMaterials.FileName),
                DateTime.UtcNow.Date
            )
            .ToArray();

    [Theory]
    [InlineData("10.0.2", true)]
    [InlineData("10.0.3-rc.1", true)]
    [InlineData("10.0.3", false)]
    [InlineData("10.0.12", false)]
    [InlineData("11.0.0", false)]
    public void A_part_with_a_hole_is_refused_and_named(string version, bool isRefused)
    {
        var bill = Write("bill.json", $$"""{"components":[{"name":"Part","version":"{{version}}"},{"name":"Other","version":"1.0.0"}]}""");

        var error = Record.Exception(() => KnownHoles.Check(Holes("2026-01-30"), bill, Today));

        Assert.Equal(isRefused, error is StagingException);
        if (isRefused)
            Assert.Contains($"Part {version} has CVE-1 (it leaks), closed in 10.0.3.", error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_that_nobody_has_looked_after_says_so()
    {
        var bill = Write("bill.json", """{"components":[]}""");

        Assert.Empty(KnownHoles.Check(Holes("2025-12-15"), bill, Today));
        Assert.Contains("2025-11-01", Assert.Single(KnownHoles.Check(Holes("2025-11-01"), bill, Today)), StringComparison.Ordinal);
    }

    [Fact]
    public void Actions_of_the_workflow_are_fixed_by_commit()
    {
        var workflow = File.ReadAllText(Path.Combine(Repository.Root, ".github", "workflows", "ci.yml"));

        var uses = Uses().Matches(workflow);
        Assert.NotEmpty(uses);
        Assert.All(uses, use => Assert.Matches("^[0-9a-f]{40} # v[0-9.]+$", use.Groups[1].Value.TrimEnd()));
    }

    private string Holes(string date) =>
        Write(
            "holes.json",
            $$"""{"checked":"{{date}}","holes":[{"component":"Part","fixedIn":"10.0.3","id":"CVE-1","what":"it leaks"}]}"""
        );

    private string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    private static Dictionary<string, string> Parts(string bill)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(bill));
        return json
            .RootElement.GetProperty("components")
            .EnumerateArray()
            .ToDictionary(part => part.GetProperty("name").GetString()!, part => part.GetProperty("version").GetString()!);
    }

    [GeneratedRegex(@"uses: [^@\s]+@(.+)")]
    private static partial Regex Uses();
}
