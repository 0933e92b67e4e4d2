using System.Collections.Concurrent;
using System.Net;
using Lockstep.Commands;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Postgres;
using Lockstep.Serving;

namespace Lockstep.Servers;

/// <summary>Makes of what a user says the sources and options of a server, and starts it.</summary>
internal static class ServerStart
{
    /// <summary>Serves tables or views of a database.</summary>
    public static RunningFeedServer FromPostgres(StartLockstepServerCommand cmdlet, CancellationToken cancellationToken)
    {
        var connection = PostgresTables.Connection(cmdlet.ConnectionString!);
        if ((cmdlet.Mode == ServerMode.Replication) != (cmdlet.LogPath is not null))
        {
            throw new InvalidOptionException(
                "Replication and a folder for the changes belong together.",
                "Give -LogPath with -Mode Replication, and not without it."
            );
        }

        if (cmdlet.Publication is not null && cmdlet.Mode != ServerMode.Replication)
            throw new InvalidOptionException("Only replication has a publication.", "Use -Mode Replication, or leave out -Publication.");

        var tables = cmdlet.Table.Select(table => PostgresTables.Name(table, cmdlet.Schema)).ToArray();
        var notices = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        return Start(
            cmdlet,
            tables.Select<Postgres.TableName, Func<CancellationToken, Task<IFeedSource>>>(table =>
                async token =>
                    await PostgresFeed
                        .StartAsync(connection, Options(cmdlet, table, notices), cancellationToken: token)
                        .ConfigureAwait(false)
            ),
            PostgresConnectionString.Describe(connection),
            notices,
            cancellationToken
        );
    }

    private static PostgresFeedOptions Options(
        StartLockstepServerCommand cmdlet,
        Postgres.TableName table,
        ConcurrentDictionary<string, string> notices
    )
    {
        var options = new PostgresFeedOptions
        {
            Table = table,
            Key = cmdlet.KeyProperty,
            PollInterval = TimeSpan.FromSeconds(cmdlet.PollIntervalSec),
            Listen = !cmdlet.NoListen,
            Notify = notice => notices[table.Name] = notice,
        };
        if (cmdlet.Mode == ServerMode.Polling)
            return options;

        Directory.CreateDirectory(cmdlet.LogPath!);
        return options with
        {
            Mode = PostgresFeedMode.Replication,
            Replication = new PostgresReplicationOptions
            {
                LogPath = PostgresTables.LogFile(cmdlet.LogPath!, table),
                Publication = cmdlet.Publication,
                MaxSlotLagBytes = cmdlet.MaximumSlotLag,
            },
        };
    }

    /// <summary>Serves table files, each under the name of its table.</summary>
    public static RunningFeedServer FromFiles(
        StartLockstepServerCommand cmdlet,
        IEnumerable<string> paths,
        CancellationToken cancellationToken
    ) =>
        Start(
            cmdlet,
            paths.Select<string, Func<CancellationToken, Task<IFeedSource>>>(path =>
                async token =>
                    await TableFeed.StartAsync(new TableFeedOptions { Path = path }, cancellationToken: token).ConfigureAwait(false)
            ),
            "",
            [],
            cancellationToken
        );

    /// <summary>The file's table is the one that the user means.</summary>
    /// <exception cref="TableNotFoundException">It is not.</exception>
    public static void RequireTable(string path, IReadOnlyCollection<string> names)
    {
        var table = new Table(path).GetInfo().Name;
        if (!names.Contains(table, StringComparer.OrdinalIgnoreCase))
        {
            throw new TableNotFoundException(
                path,
                $"The file '{path}' holds the table '{table}', not '{string.Join(", ", names)}'.",
                "Leave -Table out, or name another file with -Path."
            );
        }
    }

    private static RunningFeedServer Start(
        StartLockstepServerCommand cmdlet,
        IEnumerable<Func<CancellationToken, Task<IFeedSource>>> starts,
        string source,
        ConcurrentDictionary<string, string> notices,
        CancellationToken cancellationToken
    )
    {
        var options = new FeedServerOptions
        {
            Address = cmdlet.ListenAddress,
            Port = cmdlet.Port,
            Certificate = cmdlet.Certificate,
            HeartbeatInterval = TimeSpan.FromSeconds(cmdlet.HeartbeatSec),
            InstanceName = cmdlet.InstanceName,
            StatusPage = !cmdlet.NoStatusPage,
            Credentials =
            [
                .. cmdlet.Credential.Select(credential => Basic(credential.GetNetworkCredential())),
                .. cmdlet.Token.Select(token => FeedCredential.Bearer(new NetworkCredential("", token).Password)),
            ],
        };
        return StartAsync().GetAwaiter().GetResult();

        async Task<RunningFeedServer> StartAsync()
        {
            var sources = await FeedSources.StartAsync(starts, cancellationToken).ConfigureAwait(false);
            try
            {
                return new RunningFeedServer(
                    await FeedServer.StartAsync(sources, options, cancellationToken: cancellationToken).ConfigureAwait(false),
                    source,
                    notices
                );
            }
            catch (ArgumentException e)
            {
                throw new InvalidOptionException(e.Message, "Serve tables of one name on two servers, or one of them through a view.");
            }
        }
    }

    private static FeedCredential Basic(NetworkCredential credential)
    {
        var user = credential.Domain.Length > 0 ? $@"{credential.Domain}\{credential.UserName}" : credential.UserName;
        return user.Contains(':', StringComparison.Ordinal)
            ? throw new InvalidOptionException(
                "A user's name for Basic authentication cannot hold a colon.",
                "Use another name in -Credential."
            )
            : FeedCredential.Basic(user, credential.Password);
    }
}
