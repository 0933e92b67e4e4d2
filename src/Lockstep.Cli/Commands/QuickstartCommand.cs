using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.TestServer;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep quickstart: demonstrates the main use, on its own server.</summary>
internal static class QuickstartCommand
{
    public static Command Create()
    {
        var command = new Command(
            "quickstart",
            "See it work: a feed, a table file, its records, and a second sync that resumes from the cursor."
        );
        command.SetAction((_, cancellationToken) => RunAsync(Console.Out, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(TextWriter output, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-quickstart-");
        try
        {
            var server = await LockstepTestServer
                .StartAsync(new TestServerOptions { Port = 0 }, cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            await using (server.ConfigureAwait(false))
            {
                var path = Path.Combine(folder.FullName, "servers.db");
                await output
                    .WriteLineAsync($"A feed is served at {server.FeedUri}: six records, over and over, forever.")
                    .ConfigureAwait(false);

                await output.WriteLineAsync("\n1. Sync it to a table file, until nothing new comes:").ConfigureAwait(false);
                await SyncAsync(server.FeedUri, path, cancellationToken).ConfigureAwait(false);

                await output.WriteLineAsync("\n2. Its records:").ConfigureAwait(false);
                Print(path, output);

                await output.WriteLineAsync("\n3. Sync again: it resumes from its cursor, and nothing has changed:").ConfigureAwait(false);
                await SyncAsync(server.FeedUri, path, cancellationToken).ConfigureAwait(false);
            }

            await output.WriteLineAsync("\nNext: lockstep sync URI, lockstep records, lockstep --help.").ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task SyncAsync(Uri feed, string path, CancellationToken cancellationToken)
    {
        var reporter = new SyncReporter(json: false, changes: false, quiet: false);
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = feed },
                Store = new FileTableStore(path),
            }
        );
        await foreach (var step in sync.RunAsync(cancellationToken).ConfigureAwait(false))
            reporter.Report(step);
    }

    private static void Print(string path, TextWriter output)
    {
        var text = new TextTable(output);
        using var scan = new Table(path).Read();
        while (scan.Read())
            text.Add(scan.Json);
        text.Finish();
    }
}
