using System.CommandLine;

namespace Lockstep.Cli.Output;

/// <summary>
/// A command's help, in which the list of commands marks optional arguments like the usage does: <c>[&lt;path&gt;...]</c>.
/// </summary>
internal static class HelpText
{
    private const string Heading = "Commands:";

    /// <summary>The generated text, with the list corrected.</summary>
    public static string Correct(string text, Command called)
    {
        (string Plain, string Right)[] labels =
        [
            .. called
                .Subcommands.Where(command => !command.Hidden)
                .Select(command => (Label(command, argument => $"<{NameOf(argument)}>"), Label(command, Usage))),
        ];
        if (labels.Length == 0)
            return text;
        int plainWidth = labels.Max(label => label.Plain.Length),
            width = labels.Max(label => label.Right.Length);
        var isList = false;
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i];
            isList = line.TrimEnd() == Heading || (isList && line.TrimEnd().Length > 0);
            if (!isList || line.Length < plainWidth + 2)
                continue;
            var left = line[2..(plainWidth + 2)].TrimEnd();
            if (left.Length == 0)
                lines[i] = new string(' ', width - plainWidth) + line;
            else if (Array.Find(labels, label => label.Plain == left).Right is { } right)
                lines[i] = $"  {right.PadRight(width)}{line[(plainWidth + 2)..]}";
        }

        return string.Join('\n', lines);
    }

    private static string Label(Command command, Func<Argument, string> show) =>
        string.Join(' ', command.Arguments.Where(argument => !argument.Hidden).Select(show).Prepend(command.Name));

    private static string NameOf(Argument argument) => argument.HelpName ?? argument.Name;

    private static string Usage(Argument argument)
    {
        var name = $"<{NameOf(argument)}>{(argument.Arity.MaximumNumberOfValues > 1 ? "..." : "")}";
        return argument.Arity.MinimumNumberOfValues == 0 ? $"[{name}]" : name;
    }
}
