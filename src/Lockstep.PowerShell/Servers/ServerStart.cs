using System.Collections.Concurrent;
using System.Net;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Postgres;
using Lockstep.Postgres.Serving;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;

namespace Lockstep.Servers;

/// <summary>Turns the user's settings into a server's sources and options, and starts it.</summary>
internal static class ServerStart
{
    /// <summary>Serves tables or views of a database.</summary>
    public static RunningFeedServer FromPostgres(ServedDatabase database, ServerSettings settings, CancellationToken cancellationToken)
    {
        var connection = PostgresTables.Connection(database.ConnectionString);
        if ((database.Mode == ServerMode.Replication) != (database.LogPath is not null))
        {
            throw new InvalidOptionException(
                "Replication and a folder for the changes belong together.",
                "Use -LogPath only with -Mode Replication, which needs it."
            );
        }

        if (database.Publication is not null && database.Mode != ServerMode.Replication)
            throw new InvalidOptionException("Only replication has a publication.", "Use -Mode Replication, or leave out -Publication.");

        var tables = database.Table.Select(table => PostgresTables.Name(table, database.Schema)).ToArray();
        var notices = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        return Start(
            settings,
            tables.Select<Postgres.TableName, Func<CancellationToken, Task<IFeedSource>>>(table =>
                async token =>
                    await PostgresFeed
                        .StartAsync(connection, Options(database, settings, table, notices), cancellationToken: token)
                        .ConfigureAwait(false)
            ),
            PostgresConnectionString.Describe(connection),
            notices,
            cancellationToken
        );
    }

    private static PostgresFeedOptions Options(
        ServedDatabase database,
        ServerSettings settings,
        Postgres.TableName table,
        ConcurrentDictionary<string, string> notices
    )
    {
        var options = new PostgresFeedOptions
        {
            Table = table,
            Key = database.KeyProperty,
            PollInterval = database.PollInterval,
            Listen = database.Listen,
            MaximumRowBytes = settings.MaximumRecordSize,
            WarningsTo = notice => notices[table.Name] = notice,
        };
        if (database.Mode == ServerMode.Polling)
            return options;

        Directory.CreateDirectory(database.LogPath!);
        return options with
        {
            Mode = PostgresFeedMode.Replication,
            Replication = new PostgresReplicationOptions
            {
                LogPath = PostgresTables.LogFile(database.LogPath!, table),
                Publication = database.Publication,
                MaxSlotLagBytes = database.MaximumSlotLag,
            },
        };
    }

    /// <summary>Serves table files, each under the name of its table.</summary>
    public static RunningFeedServer FromFiles(
        ServerSettings settings,
        IEnumerable<string> paths,
        ServerDialect dialect,
        CancellationToken cancellationToken
    ) =>
        Start(
            settings,
            paths.Select<string, Func<CancellationToken, Task<IFeedSource>>>(path =>
                async token =>
                    await TableFeed
                        .StartAsync(
                            new TableFeedOptions
                            {
                                Path = path,
                                Dialect = (ServedDialect)dialect,
                                MaximumRowBytes = settings.MaximumRecordSize,
                            },
                            cancellationToken: token
                        )
                        .ConfigureAwait(false)
            ),
            "",
            [],
            cancellationToken
        );

    /// <summary>Checks that the file's table is one that the user means.</summary>
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
        ServerSettings settings,
        IEnumerable<Func<CancellationToken, Task<IFeedSource>>> starts,
        string source,
        ConcurrentDictionary<string, string> notices,
        CancellationToken cancellationToken
    )
    {
        var options = new FeedServerOptions
        {
            Address = settings.Address,
            Port = settings.Port,
            Certificate = settings.Certificate,
            Connections = new ConnectionLimits { Most = settings.Connections.Most, MostPerAddress = settings.Connections.PerAddress },
            AllowedHosts = settings.Site.AllowedHosts,
            AllowedOrigins = settings.Site.AllowedOrigins,
            HeartbeatInterval = settings.HeartbeatInterval,
            InstanceName = settings.InstanceName,
            StatusPage = settings.StatusPage,
            Compress = settings.Compress,
            ShareUpdates = settings.ShareUpdates,
            Credentials =
            [
                .. settings.Credential.Select(credential => Basic(credential.GetNetworkCredential())),
                .. settings.Token.Select(token => FeedCredential.Bearer(new NetworkCredential("", token).Password)),
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
                throw new InvalidOptionException(
                    PlainText.MessageOf(e),
                    "Serve tables of one name on two servers, or one of them through a view."
                );
            }
        }
    }

    private static FeedCredential Basic(NetworkCredential credential)
    {
        var user = credential.Domain.Length > 0 ? $@"{credential.Domain}\{credential.UserName}" : credential.UserName;
        return user.Contains(':', StringComparison.Ordinal)
            ? throw new InvalidOptionException(
                "A user name for Basic authentication cannot contain a colon.",
                "Use another name in -Credential."
            )
            : FeedCredential.Basic(user, credential.Password);
    }
}
