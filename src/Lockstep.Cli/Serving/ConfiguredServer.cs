using System.Net;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres;
using Lockstep.Postgres.Serving;
using Lockstep.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>
/// A server that serves what a configuration says, and switches to a new configuration without cutting off readers of what has not changed.
/// A database may still be unavailable, and a table that cannot be served does not stop the others.
/// </summary>
internal sealed class ConfiguredServer(FeedServer server, ServeLog log, ILogger feedLog)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(30);

    /// <summary>How soon to retry a database that was unavailable: until then its feeds may be unknown.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);
    private readonly Dictionary<string, FeedPlan> _served = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<TableName>> _found = new(StringComparer.Ordinal);
    private readonly HashSet<string> _told = [];
    private readonly HashSet<string> _troubled = [];

    /// <summary>How the server listens.</summary>
    /// <exception cref="ArgumentException">An address is invalid, or a secret is missing.</exception>
    public static FeedServerOptions OptionsOf(ServeConfig config) =>
        new()
        {
            Address = IPAddress.TryParse(config.Listen.Address, out var address)
                ? address
                : throw new ArgumentException("listen.address takes an IP address."),
            Port = config.Listen.Port,
            HeartbeatInterval = TimeSpan.FromSeconds(config.Listen.HeartbeatSeconds),
            InstanceName = config.Listen.InstanceName,
            StatusPage = config.Listen.StatusPage,
            ExpectsFeeds = true,
            Compress = config.Listen.Compress,
            ShareUpdates = config.Listen.ShareUpdates,
            AllowedHosts = config.Listen.AllowedHosts,
            AllowedOrigins = config.Listen.AllowedOrigins,
            Connections = new ConnectionLimits
            {
                Most = config.Listen.ConnectionLimit,
                MostPerAddress = config.Listen.ConnectionLimitPerAddress,
            },
            Credentials = ConfiguredCredentials.Read(config.Credentials),
        };

    /// <summary>The certificate, read again at each call; null for none.</summary>
    /// <exception cref="ArgumentException">It cannot be used.</exception>
    public static CertificateFile? CertificateOf(ServeConfig config) =>
        config.Listen.Certificate is { } file ? CertificateFile.Load(file, config.Listen.CertificateKey) : null;

    /// <summary>Serves a configuration, and looks for new tables, until cancelled or until there is another configuration.</summary>
    /// <param name="config">What to serve.</param>
    /// <param name="other">Also ends it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(ServeConfig config, Task other, CancellationToken cancellationToken)
    {
        var looked = TimeSpan.MaxValue;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        using var retention = new TombstoneKeeper(config, log);
        while (!other.IsCompleted && !cancellationToken.IsCancellationRequested)
        {
            if (looked >= LookInterval)
            {
                var isWhole = await ReconcileAsync(config, cancellationToken).ConfigureAwait(false);
                looked = isWhole ? TimeSpan.Zero : LookInterval - Soon;
            }

            await ReportAsync(cancellationToken).ConfigureAwait(false);
            await retention.KeepAsync(cancellationToken).ConfigureAwait(false);
            await Task.WhenAny(other, timer.WaitForNextTickAsync(cancellationToken).AsTask()).ConfigureAwait(false);
            looked += timer.Period;
        }
    }

    /// <summary>
    /// Adds what is new, and removes what is gone or is to be served differently; returns whether all databases could be asked for their
    /// tables.
    /// </summary>
    private async Task<bool> ReconcileAsync(ServeConfig config, CancellationToken cancellationToken)
    {
        var (plans, isWhole) = await PlanAsync(config, cancellationToken).ConfigureAwait(false);

        // An unavailable database says nothing about its tables, so what is served from it stays.
        var gone = _served.Where(s => plans.TryGetValue(s.Key, out var plan) ? plan.Settings != s.Value.Settings : isWhole);
        foreach (var (name, _) in gone.ToArray())
        {
            server.ExpectsFeeds = true;
            await server.RemoveAsync(name).ConfigureAwait(false);
            _served.Remove(name);
            if (!plans.ContainsKey(name))
                log.Say($"{name} is no longer served.");
        }

        foreach (var (name, plan) in plans)
        {
            if (!_served.TryAdd(name, plan))
                continue;
            server.Add(new LateSource(name, plan.Start));
            Console.WriteLine(new Uri(server.Uri, Uri.EscapeDataString(name)).AbsoluteUri);
        }

        server.ExpectsFeeds = !isWhole;
        return isWhole;
    }

    private async Task<(Dictionary<string, FeedPlan> Plans, bool IsWhole)> PlanAsync(
        ServeConfig config,
        CancellationToken cancellationToken
    )
    {
        var plans = new Dictionary<string, FeedPlan>(StringComparer.Ordinal);
        var isWhole = true;

        // The prefixes of databases whose tables are not known yet: any name may be one of theirs.
        var unknown = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in config.Files)
        {
            var path = Path.GetFullPath(file.Path);
            var name = file.Table ?? Path.GetFileNameWithoutExtension(path);
            Add(
                name,
                path,
                $"{path}\n{file.Table}\n{file.MaximumRecordSize}\n{file.Dialect}",
                _ => FileFeed.At(path, file.Table is null ? [] : [file.Table], feedLog, file.MaximumRecordSize, file.Dialect)
            );
        }

        foreach (var database in config.Databases)
        {
            try
            {
                var connection = database.ReadConnection();
                if (unknown.Contains(database.Prefix))
                {
                    isWhole = false;
                    const string Why = "waits for the database before it, whose tables may have the same names; give each a prefix.";
                    if (_told.Add(connection))
                        log.Say($"{PostgresConnectionString.Describe(connection)} {Why}");
                    continue;
                }

                foreach (var feed in database.Feeds)
                    AddTable(database, connection, TableName.Parse(feed.Table), feed);
                var found = await FindAsync(database, connection).ConfigureAwait(false);
                foreach (var table in found)
                    AddTable(database, connection, table, new TableConfig { Table = table.ToString(), Name = NameOf(table, found) });
            }
            catch (Exception e) when (e is LockstepException or ArgumentException or FormatException)
            {
                isWhole = false;
                unknown.Add(database.Prefix);
                if (_told.Add(e.Message))
                    log.Warn("databases", e);
            }
        }

        return (plans, isWhole);

        // What an unavailable database had at the last look keeps its names, which must not lead to another database's tables meanwhile.
        async Task<IReadOnlyList<TableName>> FindAsync(DatabaseConfig database, string connection)
        {
            var question = string.Join('\n', [connection, $"{database.Mode}", .. database.Tables, "", .. database.Exclude]);
            try
            {
                return _found[question] = await PostgresCatalog
                    .FindAsync(connection, database.Tables, database.Exclude, database.Mode, cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (LockstepException e) when (_found.TryGetValue(question, out var before))
            {
                isWhole = false;
                if (_told.Add(e.Message))
                    log.Warn("databases", e);
                return before;
            }
        }

        void AddTable(DatabaseConfig database, string connection, TableName table, TableConfig own)
        {
            var settings = string.Join(
                '\n',
                connection,
                table,
                own.Name,
                string.Join(',', own.Key),
                database.Mode,
                database.LogPath,
                database.Publication,
                database.MaximumSlotLag,
                database.PollIntervalSeconds,
                database.Listen,
                database.MaxReaders,
                database.MaximumRecordSize
            );
            Add(
                database.Prefix + (own.Name ?? table.Name),
                $"{database.Prefix}{table}",
                settings,
                name => token => StartAsync(database, connection, table, own, name, token)
            );
        }

        // The name is already taken by another feed, or by another database's table.
        void Add(string name, string full, string settings, Func<string, Func<CancellationToken, Task<IFeedSource>>> start)
        {
            var free = plans.ContainsKey(name) ? full : name;
            if (!plans.TryAdd(free, new FeedPlan(settings, start(free))) && _told.Add(free))
                log.Say($"{full} is not served: a feed {free} already exists.");
        }
    }

    /// <summary>
    /// The name of a table's feed: the table's own. If several tables have the same name, the one in the schema public keeps it and the
    /// others include their schema, however many are added later: a name must never lead to another table than before.
    /// </summary>
    private static string NameOf(TableName table, IReadOnlyList<TableName> all) =>
        table.Schema is null or "public" || all.Count(t => t.Name == table.Name) == 1 ? table.Name : table.ToString();

    private async Task<IFeedSource> StartAsync(
        DatabaseConfig database,
        string connection,
        TableName table,
        TableConfig own,
        string name,
        CancellationToken cancellationToken
    )
    {
        PostgresReplicationOptions? replication = null;
        if (database.Mode == PostgresFeedMode.Replication)
        {
            Directory.CreateDirectory(database.LogPath!);
            replication = new PostgresReplicationOptions
            {
                LogPath = Path.Combine(database.LogPath!, Uri.EscapeDataString(name) + ".log"),
                Publication = database.Publication,
                MaxSlotLagBytes = database.MaximumSlotLag,
            };
        }

        return await PostgresFeed
            .StartAsync(
                connection,
                new PostgresFeedOptions
                {
                    Table = table,
                    Name = name,
                    Key = own.Key,
                    Mode = database.Mode,
                    Replication = replication,
                    PollInterval = TimeSpan.FromSeconds(database.PollIntervalSeconds),
                    Listen = database.Listen,
                    MaxReaders = database.MaxReaders,
                    Logger = feedLog,
                    MaximumRowBytes = database.MaximumRecordSize,
                },
                cancellationToken: cancellationToken
            )
            .ConfigureAwait(false);
    }

    /// <summary>Reports what cannot be read, and when it can be read again.</summary>
    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        foreach (var source in server.Sources)
        {
            try
            {
                await source.GetStateAsync(cancellationToken).ConfigureAwait(false);
                if (_troubled.Remove(source.Name))
                    log.Say($"{source.Name} can be read again.");
            }
            catch (FeedServingException e)
            {
                // A source that is only just starting is not in trouble.
                if (source is not LateSource { IsStarting: true } && _troubled.Add(source.Name))
                    log.Warn(source.Name, e);
            }
        }
    }

    /// <param name="Settings">Represents everything about how it is served.</param>
    /// <param name="Start">Starts it.</param>
    private sealed record FeedPlan(string Settings, Func<CancellationToken, Task<IFeedSource>> Start);
}
