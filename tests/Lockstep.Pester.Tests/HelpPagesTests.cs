using Lockstep.Staging.Help;
using Lockstep.Testing;

namespace Lockstep.Pester.Tests;

/// <summary>The help pages in docs/help, and how they become PowerShell's help.</summary>
public sealed class HelpPagesTests
{
    private static readonly string Pages = Path.Combine(Repository.Root, "docs", "help");
    private static readonly string Manifest = Path.Combine(Repository.Root, "Lockstep.psd1");
    private static readonly string PowerShell = Path.Combine(AppContext.BaseDirectory, "System.Management.Automation.dll");

    /// <summary>As this project was built, in the same configuration.</summary>
    private static readonly string Cmdlets = Path.Combine(
        Repository.Root,
        "src",
        "Lockstep.PowerShell",
        Path.GetRelativePath(Path.Combine(Repository.Root, "tests", "Lockstep.Pester.Tests"), AppContext.BaseDirectory),
        "Lockstep.PowerShell.dll"
    );

    [Fact]
    public void The_pages_say_what_the_code_says()
    {
        using var copies = new TempFolder();
        foreach (var page in Directory.GetFiles(Pages))
            File.Copy(page, copies[Path.GetFileName(page)]);

        var stale = new HelpBuilder(Manifest, Cmdlets, PowerShell, copies.Path).RefreshPages().Select(Path.GetFileName);
        Assert.True(
            !stale.Any(),
            $"Run ./build.ps1 Help, or dotnet build src/Lockstep.PowerShell -t:RefreshHelp. Out of date: {string.Join(", ", stale)}"
        );
    }

    [Fact]
    public void A_cmdlet_without_a_page_has_help_all_the_same()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder["pages"]);
        var help = File.ReadAllText(new HelpBuilder(Manifest, Cmdlets, PowerShell, folder["pages"]).WriteHelp(folder["out"]).Single());
        Assert.Contains("Brings a table in sync with a feed", help, StringComparison.Ordinal);
        Assert.Contains("How many seconds connecting may take", help, StringComparison.Ordinal);

        var page = File.ReadAllText(
            new HelpBuilder(Manifest, Cmdlets, PowerShell, folder["pages"])
                .RefreshPages()
                .First(file => file.EndsWith("Sync-LockstepTable.md", StringComparison.Ordinal))
        );
        Assert.StartsWith("# Sync-LockstepTable\n\nBrings a table in sync", page, StringComparison.Ordinal);
        Assert.Contains("### -Uri", page, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_person_wrote_stays_when_a_page_is_refreshed()
    {
        using var folder = new TempFolder();
        var page = folder["Get-LockstepTable.md"];
        File.WriteAllText(page, "# Get-LockstepTable\n\nMine.\n\n## Description\n\nMy text.\n\n## Notes\n\nMy note.\n");
        var builder = new HelpBuilder(Manifest, Cmdlets, PowerShell, folder.Path);
        builder.RefreshPages();
        var text = File.ReadAllText(page);
        Assert.Contains("\n\nMine.\n", text, StringComparison.Ordinal);
        Assert.Contains("## Description\n\nMy text.\n", text, StringComparison.Ordinal);
        Assert.EndsWith("## Notes\n\nMy note.\n", text, StringComparison.Ordinal);
        Assert.Empty(builder.RefreshPages());
    }

    [Fact]
    public void Defaults_come_from_the_code()
    {
        using var reader = new CmdletReader(Cmdlets, PowerShell);
        var sync = reader.Read().Single(cmdlet => cmdlet.Name == "Sync-LockstepTable").Parameters.ToDictionary(parameter => parameter.Name);
        Assert.Equal("30", sync["ConnectionTimeoutSeconds"].Default);
        Assert.Equal("16777216", sync["MaximumRecordSize"].Default);
        Assert.Equal("Auto", sync["CursorStyle"].Default);
        Assert.Equal("False", sync["Disk"].Default);
        Assert.Null(sync["Table"].Default);
    }

    [Fact]
    public void Markdown_reads_well_in_a_terminal()
    {
        var text = MarkdownText.Topic(
            "# Title\n\nSome `code` and a [link](https://x/) in\ntwo lines.\n\n- an **item**\n  that goes on\n- another\n\n"
                + "```\n  as `it` is\n```\n"
        );
        Assert.Equal(
            "TITLE\n\n    Some code and a link in two lines.\n\n    - an item that goes on\n    - another\n\n      as `it` is\n",
            text
        );
        Assert.All(
            MarkdownText.Topic("- " + string.Join(' ', Enumerable.Repeat("word", 100))).Split('\n'),
            line => Assert.True(line.Length < 80, line)
        );
    }
}
