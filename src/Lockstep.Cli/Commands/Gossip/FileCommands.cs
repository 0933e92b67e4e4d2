using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>lockstep gossip export and import: the files of npm scuttlebutt, which contain what is sent over a stream.</summary>
internal static class FileCommands
{
    public static Command Export() =>
        Create(
            "export",
            "Write a model, or with --events its events, to a file of lines of JSON as npm scuttlebutt keeps them.",
            GossipFile.ExportAsync
        );

    public static Command Import() =>
        Create("import", "Apply a file of JSON lines, as npm scuttlebutt keeps them. What is already known stays.", GossipFile.ImportAsync);

    private static Command Create(string name, string description, Func<GossipNode, string, CancellationToken, Task> use)
    {
        var node = new NodeOptions();
        var events = GossipCommand.EventsOption();
        var file = new Argument<string>("file") { Description = "The file of JSON lines.", HelpName = "FILE" };
        var command = new Command(name, description) { file, events };
        node.AddTo(command, events: true, offersValues: true);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                node.Require(result, null);
                var opened = GossipCommand.Open(node, result, events);
                await using var _ = opened.ConfigureAwait(false);
                await use(opened, Path.GetFullPath(result.GetValue(file)!), cancellationToken).ConfigureAwait(false);
                return ExitCodes.Ok;
            }
        );
        return command;
    }
}
