using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Cli.Serving;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Postgres;
using Lockstep.Postgres.Serving;
using Lockstep.Serving;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Commands;

/// <summary>
/// lockstep serve: tables of a database, or table files, as feeds, until it is stopped. For systemd, cron and containers.
/// </summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var postgres = new PostgresOption("Serve tables of this database");
        var table = new Option<string[]>("--table", "-t")
        {
            Description =
                "A table or view to serve; may be given more than once. Of a file: the table that it must hold; without "
                + "--path and --postgres its file is NAME.db in the current folder.",
            HelpName = "NAME",
        };
        var path = new Option<string[]>("--path", "-p")
        {
            Description = "Serve the table in this file, live while it is synced; may be given more than once.",
            HelpName = "FILE",
        };
        var dialect = new Option<ServedDialect>("--dialect")
        {
            Description =
                "With --path: the dialect in which the table is served. Record is that of the original lockstep, for its "
                + "clients; its order field is then the table's own sequence.",
        };
        var schema = new Option<string?>("--schema")
        {
            Description = "The schema of the tables. Default: the user's search path.",
            HelpName = "NAME",
        };
        var key = new Option<string[]>("--key-property", "-k")
        {
            Description = "The column that is the key, for a view; several make one key.",
            HelpName = "COLUMN",
            AllowMultipleArgumentsPerToken = true,
        };
        var poll = new Option<double>("--poll-interval-sec")
        {
            Description = "The time between two polls of a table when nothing wakes the server.",
            HelpName = "SECONDS",
            DefaultValueFactory = _ => 1,
        };
        var noListen = new Option<bool>("--no-listen")
        {
            Description = "Do not listen for notifications: for a database behind a pooler that does not keep sessions.",
        };
        var mode = new Option<PostgresFeedMode>("--mode")
        {
            Description =
                "How changes are detected. Replication needs no change to the table, but a --log-path and the attribute REPLICATION.",
        };
        var logPath = new Option<string?>("--log-path")
        {
            Description = "With --mode Replication: the folder that keeps changes for clients that reconnect.",
            HelpName = "FOLDER",
        };
        var publication = new Option<string?>("--publication")
        {
            Description = "With --mode Replication: the publication that the tables' owner created.",
            HelpName = "NAME",
        };
        var slotLag = new Option<long?>("--maximum-slot-lag")
        {
            Description =
                "With --mode Replication: how much of its log the database may have to keep for the slot, as 4GB, the default. "
                + "Beyond that the slot is dropped and created again, and all clients start over.",
            HelpName = "BYTES",
            CustomParser = BytesOption.Parse,
        };
        var maximumSize = new Option<int>("--maximum-record-size")
        {
            Description = "The largest record in bytes: a larger one, which clients would refuse, is left out and logged.",
            HelpName = "BYTES",
            DefaultValueFactory = _ => TableFeedOptions.DefaultMaximumRowBytes,
        };
        var config = new Option<FileInfo?>(ConfigPlaces.Config)
        {
            Description =
                "Serve what this JSON file configures: several databases, patterns of tables, credentials for feeds. SIGHUP "
                + "reloads it; clients of unchanged feeds stay connected. Besides, only --certificate, --certificate-key, --log-level and "
                + "--log-format may be given, which take precedence over the file.",
            HelpName = "FILE",
        };
        var listening = new ServeOptions();

        var command = new Command(
            "serve",
            "Serve tables of PostgreSQL, or synced table files, as feeds, until Ctrl+C or SIGTERM. /_lockstep/ shows "
                + "clients and lag in a browser; /healthz, /livez, /readyz and /metrics are for monitoring."
        )
        {
            postgres.Option,
            table,
            path,
            dialect,
            schema,
            key,
            poll,
            noListen,
            mode,
            logPath,
            publication,
            slotLag,
            maximumSize,
            config,
        };
        listening.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                using var metrics = OtlpMetrics.Start();
                if (result.GetValue(config) is { } file)
                    return await new ConfiguredServe(result, file.FullName, listening).RunAsync(cancellationToken).ConfigureAwait(false);
                var tables = result.GetValue(table) ?? [];
                var maximum = result.GetValue(maximumSize) is >= 1024 and var size
                    ? size
                    : throw new ArgumentException("--maximum-record-size is 1024 or more.");
                var maximumLag = OptionValue.AtLeast(PostgresReplicationOptions.LeastSlotLagBytes, result, slotLag);
                using var logs = LogOptions.ForServer(result);
                var feedLog = logs.CreateLogger(ServeLog.FeedsCategory);
                var connection = postgres.Read(result);
                var files = result.GetValue(path) ?? [];
                // A table named on its own is in the current folder, as with every other command.
                if (files.Length == 0 && connection is null)
                    files = [.. tables.Select(name => TableOptions.OfName(name).Path)];
                List<Func<CancellationToken, Task<IFeedSource>>> starts =
                [
                    .. files.Select(file =>
                        FileFeed.At(file, connection is null ? tables : [], feedLog, maximum, result.GetValue(dialect))
                    ),
                ];
                if (connection is not null)
                {
                    if (result.GetValue(dialect) == ServedDialect.Record)
                        throw new ArgumentException("--dialect Record serves table files: give --path, and another server for --postgres.");
                    if (tables.Length == 0)
                        throw new ArgumentException("Name the tables with --table.");
                    var replicates = result.GetValue(mode) == PostgresFeedMode.Replication;
                    if (replicates != result.GetValue(logPath) is not null)
                        throw new ArgumentException("--mode Replication and --log-path belong together.");
                    if (!replicates && (maximumLag is not null || result.GetValue(publication) is not null))
                        throw new ArgumentException("--publication and --maximum-slot-lag need --mode Replication.");
                    if (replicates)
                        Directory.CreateDirectory(result.GetValue(logPath)!);
                    starts.AddRange(
                        tables.Select(name =>
                            FromPostgres(
                                connection,
                                new PostgresFeedOptions
                                {
                                    Mode = result.GetValue(mode),
                                    Replication = replicates
                                        ? new PostgresReplicationOptions
                                        {
                                            LogPath = LogFile(result.GetValue(logPath)!, name),
                                            Publication = result.GetValue(publication),
                                            MaxSlotLagBytes = maximumLag ?? PostgresReplicationOptions.DefaultSlotLagBytes,
                                        }
                                        : null,
                                    Logger = feedLog,
                                    MaximumRowBytes = maximum,
                                    Table = Name(name, result.GetValue(schema)),
                                    Key = result.GetValue(key) ?? [],
                                    PollInterval = OptionValue.UpToADay(result, poll),
                                    Listen = !result.GetValue(noListen),
                                }
                            )
                        )
                    );
                }

                if (starts.Count == 0)
                    throw new ArgumentException("There is nothing to serve: give --table, --path, or --postgres with --table.");
                var certificate = listening.Certificate.Load(result);
                return await ServeAsync(starts, listening.Read(result, certificate), cancellationToken).ConfigureAwait(false);
            }
        );
        return command;
    }

    private static async Task<int> ServeAsync(
        IEnumerable<Func<CancellationToken, Task<IFeedSource>>> starts,
        FeedServerOptions options,
        CancellationToken cancellationToken
    )
    {
        FeedServer server;
        IReadOnlyList<IFeedSource> sources;
        try
        {
            // Not every wait for an unresponsive database ends when cancelled; this one does.
            sources = await FeedSources.StartAsync(starts, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
            server = await FeedServer.StartAsync(sources, options, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // A service that is stopped while it is starting has done as it was told.
            return ExitCodes.Ok;
        }

        var memory = new MemoryReturn();
        await using (memory.ConfigureAwait(false))
        await using (server.ConfigureAwait(false))
        {
            Console.WriteLine($"Listening on {server.Uri}");
            foreach (var source in sources)
                Console.WriteLine(new Uri(server.Uri, Uri.EscapeDataString(source.Name)).AbsoluteUri);
            foreach (var notice in ServeNotices.Of(options))
                await Console.Error.WriteLineAsync($"lockstep: {notice}").ConfigureAwait(false);
            SystemdNotice.Send("READY=1");
            try
            {
                await ReportTroubleAsync(sources, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // Ctrl+C and SIGTERM are the normal ways to end it: clients are cut off, and resume from their cursors.
            }
            finally
            {
                SystemdNotice.Send("STOPPING=1");
            }
        }

        return ExitCodes.Ok;
    }

    /// <summary>Reports on standard error, for a service's log, what cannot be read and when it can be read again.</summary>
    private static async Task ReportTroubleAsync(IReadOnlyList<IFeedSource> sources, CancellationToken cancellationToken)
    {
        var troubled = new HashSet<IFeedSource>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            foreach (var source in sources)
            {
                try
                {
                    await source.GetStateAsync(cancellationToken).ConfigureAwait(false);
                    if (troubled.Remove(source))
                        await Console.Error.WriteLineAsync($"lockstep: {source.Name} can be read again.").ConfigureAwait(false);
                }
                catch (FeedServingException e)
                {
                    if (troubled.Add(source))
                        await Console.Error.WriteLineAsync($"lockstep: {source.Name}: {e.Message}").ConfigureAwait(false);
                }
            }
        }
    }

    private static Func<CancellationToken, Task<IFeedSource>> FromPostgres(string connection, PostgresFeedOptions options) =>
        async token => await PostgresFeed.StartAsync(connection, options, cancellationToken: token).ConfigureAwait(false);

    private static string LogFile(string folder, string table) =>
        Path.GetFullPath(
            Path.Combine(folder, string.Concat($"{table}.log".Select(c => Path.GetInvalidFileNameChars().Contains(c) ? '_' : c)))
        );

    private static TableName Name(string text, string? schema)
    {
        TableName name;
        try
        {
            name = TableName.Parse(text);
        }
        catch (FormatException e)
        {
            throw new ArgumentException(e.Message);
        }

        return name.Schema is null ? name with { Schema = schema } : name;
    }
}
