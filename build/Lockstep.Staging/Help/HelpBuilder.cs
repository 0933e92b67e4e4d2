using System.Text.RegularExpressions;

namespace Lockstep.Staging.Help;

/// <summary>
/// The module's help. A page per cmdlet has what a person wrote (description, examples, notes); what the code says already
/// (syntax, what each parameter means) is taken from there, so that it is written once and is never missing.
/// </summary>
internal sealed partial class HelpBuilder(string manifest, string assembly, string powerShell, string pages)
{
    private const string Culture = "en-US";

    /// <summary>Writes PowerShell's help files; a file that would not change is left as it is.</summary>
    /// <returns>The files.</returns>
    public IReadOnlyList<string> WriteHelp(string folder)
    {
        var written = new List<string>();
        var maml = new MamlWriter(OnlinePages());
        foreach (var cmdlet in Cmdlets())
            maml.Add(cmdlet, Page(cmdlet));

        var help = Path.Combine(folder, Culture, Path.GetFileName(assembly) + "-Help.xml");
        maml.Save(help);
        written.Add(help);
        foreach (var topic in Directory.EnumerateFiles(pages, "about_*.md").Order(StringComparer.Ordinal))
        {
            var text = Path.Combine(folder, Culture, Path.GetFileNameWithoutExtension(topic) + ".help.txt");
            File.WriteAllText(text, MarkdownText.Topic(File.ReadAllText(topic)));
            written.Add(text);
        }

        return written;
    }

    /// <summary>Brings the pages up to date with the code.</summary>
    /// <returns>The pages that changed.</returns>
    public IReadOnlyList<string> RefreshPages()
    {
        var changed = new List<string>();
        foreach (var cmdlet in Cmdlets())
        {
            var page = Page(cmdlet);
            PageWriter.Refresh(page, cmdlet);
            var file = PathOf(cmdlet);
            var text = page.ToString();
            if (File.Exists(file) && File.ReadAllText(file) == text)
                continue;

            File.WriteAllText(file, text);
            changed.Add(file);
        }

        return changed;
    }

    private IReadOnlyList<CmdletDescription> Cmdlets()
    {
        using var reader = new CmdletReader(assembly, powerShell);
        return reader.Read();
    }

    private HelpPage Page(CmdletDescription cmdlet)
    {
        var file = PathOf(cmdlet);
        return File.Exists(file) ? HelpPage.Parse(File.ReadAllText(file)) : HelpPage.New(cmdlet.Name, cmdlet.Synopsis);
    }

    private string PathOf(CmdletDescription cmdlet) => Path.Combine(pages, cmdlet.Name + ".md");

    /// <summary>Where the pages are on the project's site, which the manifest names.</summary>
    private Uri OnlinePages()
    {
        var project = ProjectUri().Match(File.ReadAllText(manifest));
        return project.Success
            ? new Uri(project.Groups[1].Value.TrimEnd('/') + "/blob/main/docs/help/")
            : throw new StagingException($"'{manifest}' names no ProjectUri, which the online help links to.");
    }

    [GeneratedRegex(@"^\s*ProjectUri\s*=\s*'([^']+)'", RegexOptions.Multiline)]
    private static partial Regex ProjectUri();
}
