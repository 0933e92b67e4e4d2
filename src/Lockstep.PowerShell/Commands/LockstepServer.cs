using System.Management.Automation;
using System.Net;
using System.Security;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Completers;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Servers;
using Lockstep.Sessions;
using Lockstep.Tables;

namespace Lockstep.Commands;

/// <summary>Serves tables of a PostgreSQL database, or synced tables, as feeds from this process.</summary>
[Cmdlet(
    VerbsLifecycle.Start,
    "LockstepServer",
    DefaultParameterSetName = ByTable,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low
)]
[OutputType(typeof(ServerInfo))]
public sealed class StartLockstepServerCommand : LockstepCmdlet
{
    private const string ByConnection = "ConnectionString";
    private const string ByTable = "Table";
    private const string ByPath = "Path";
    private const string ByLiteralPath = "LiteralPath";

    private readonly List<string> _files = [];

    /// <summary>The database: an Npgsql connection string, or a URI like <c>postgres://user:password@host/database</c>.</summary>
    [Parameter(ParameterSetName = ByConnection, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string? ConnectionString { get; set; }

    /// <summary>Tables and views of the database; or synced tables, by name as for <c>Get-LockstepRecord</c>.</summary>
    [Parameter(ParameterSetName = ByConnection, Mandatory = true, Position = 0)]
    [Parameter(ParameterSetName = ByTable, Mandatory = true, Position = 0)]
    [Parameter(ParameterSetName = ByPath)]
    [Parameter(ParameterSetName = ByLiteralPath)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TableCompleter))]
    public string[] Table { get; set; } = [];

    /// <summary>Table files.</summary>
    [Parameter(ParameterSetName = ByPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>Table files, taken literally, without wildcards.</summary>
    [Parameter(ParameterSetName = ByLiteralPath, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>
    /// The dialect in which synced tables are served. Record is that of the original lockstep, for its clients: the order field is then the
    /// table's own sequence.
    /// </summary>
    [Parameter(ParameterSetName = ByTable)]
    [Parameter(ParameterSetName = ByPath)]
    [Parameter(ParameterSetName = ByLiteralPath)]
    public ServerDialect Dialect { get; set; }

    /// <summary>The schema of the tables; by default they are found along the user's search path.</summary>
    [Parameter(ParameterSetName = ByConnection)]
    public string? Schema { get; set; }

    /// <summary>The columns that form the key, for views; tables have a primary key.</summary>
    [Parameter(ParameterSetName = ByConnection)]
    public string[] KeyProperty { get; set; } = [];

    /// <summary>How changes are detected. Replication needs no change to the table, but the REPLICATION attribute, and -LogPath.</summary>
    [Parameter(ParameterSetName = ByConnection)]
    [OneOf(typeof(ServerMode))]
    public ServerMode Mode { get; set; }

    /// <summary>
    /// For replication: the folder that keeps the changes for clients that return, with a file for each table. Without it they would all
    /// have to resync.
    /// </summary>
    [Parameter(ParameterSetName = ByConnection)]
    [ValidateNotNullOrEmpty]
    public string? LogPath { get; set; }

    /// <summary>For replication: the publication, if the tables' owner has created one.</summary>
    [Parameter(ParameterSetName = ByConnection)]
    [ValidateNotNullOrEmpty]
    public string? Publication { get; set; }

    /// <summary>
    /// For replication: how many bytes of its log the database may have to keep. Beyond that the slot is dropped and created again, and all
    /// clients resync.
    /// </summary>
    [Parameter(ParameterSetName = ByConnection)]
    [ValidateRange(16L << 20, long.MaxValue)]
    public long MaximumSlotLag { get; set; } = 4L << 30;

    /// <summary>How many seconds pass between two looks at a table when nothing wakes the server.</summary>
    [Parameter(ParameterSetName = ByConnection)]
    [ValidateRange(0.01, 86400.0)]
    public double PollIntervalSec { get; set; } = 1;

    /// <summary>
    /// Does not listen for the notifications of tracked tables: for a database behind a pooler that does not keep sessions.
    /// </summary>
    [Parameter(ParameterSetName = ByConnection)]
    public SwitchParameter NoListen { get; set; }

    /// <summary>The port; 0 for a free one.</summary>
    [Parameter]
    [ValidateRange(0, IPEndPoint.MaxPort)]
    public int Port { get; set; } = 4567;

    /// <summary>The address to listen on; by default loopback.</summary>
    [Parameter]
    [ValidateNotNull]
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>Users and passwords that may read (Basic authentication); everybody may if neither this nor -Token is given.</summary>
    [Parameter]
    [Credential]
    [ValidateNotNullOrEmpty]
    public PSCredential[] Credential { get; set; } = [];

    /// <summary>Bearer tokens that may read.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public SecureString[] Token { get; set; } = [];

    /// <summary>Serves over TLS with this certificate; it needs the private key.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>
    /// Host names that requests may use. IP addresses are always allowed, and localhost if it listens on loopback; web pages under any
    /// other name cannot reach it.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] AllowedHost { get; set; } = [];

    /// <summary>The web pages of other sites that may connect, each by its origin such as <c>https://app.example</c>.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] AllowedOrigin { get; set; } = [];

    /// <summary>
    /// Compresses answers for clients that ask for it (br, gzip). Do not use it if answers hold secrets beside rows that others may write.
    /// </summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>
    /// Sends live updates in pages that a cache in front of the server keeps and requests once for all clients. They come a little later
    /// than in a stream, which clients with a credential or a filter still get.
    /// </summary>
    [Parameter]
    public SwitchParameter ShareUpdates { get; set; }

    /// <summary>
    /// The most connections; further ones are told to try again later. Fewer if the process may not open that many files.
    /// </summary>
    [Parameter]
    [ValidateRange(1, 1_000_000)]
    public int ConnectionLimit { get; set; } = 2048;

    /// <summary>The most connections from one address; all clients behind a proxy share its address.</summary>
    [Parameter]
    [ValidateRange(1, 1_000_000)]
    public int ConnectionLimitPerAddress { get; set; } = 1024;

    /// <summary>The longest silence on a feed, in seconds.</summary>
    [Parameter]
    [ValidateRange(0.01, 86400.0)]
    public double HeartbeatSec { get; set; } = 15;

    /// <summary>
    /// The largest record in bytes. A larger one, which clients would refuse, is left out: its key is sent as deleted, and the server's
    /// Notice names it.
    /// </summary>
    [Parameter]
    [ValidateRange(1024, 1024 * 1024 * 1024)]
    public int MaximumRecordSize { get; set; } = 16 * 1024 * 1024;

    /// <summary>A name for this server, sent to clients.</summary>
    [Parameter]
    public string? InstanceName { get; set; }

    /// <summary>Leaves out the page at /_lockstep/ that shows clients, rates and the newest records.</summary>
    [Parameter]
    public SwitchParameter NoStatusPage { get; set; }

    private protected override object? ErrorTarget => Table.Length > 0 ? string.Join(", ", Table) : Port;

    private protected override void Process()
    {
        var paths = SessionState.Path;
        if (LogPath is not null)
            LogPath = FileSystemPath.ResolveLiteral(paths, LogPath);

        _files.AddRange(Path.SelectMany(path => FileSystemPath.Resolve(paths, path)));
        _files.AddRange(LiteralPath.Select(path => FileSystemPath.ResolveLiteral(paths, path)));
        if (ParameterSetName == ByTable)
            _files.AddRange(Table.SelectMany(name => Find(paths, name)));
    }

    private static IReadOnlyList<string> Find(PathIntrinsics paths, string name)
    {
        try
        {
            return TableLookup.ByName(paths, name);
        }
        catch (TableNotFoundException e)
        {
            throw new TableNotFoundException(
                e.Name,
                $"There is no synced table '{name}' to serve, in this session or in {paths.CurrentFileSystemLocation}.",
                $"{e.Remedy.Render(CmdletWords.Say)} To serve a table of PostgreSQL, give -ConnectionString."
            );
        }
    }

    private protected override void End()
    {
        if (ParameterSetName is ByPath or ByLiteralPath && Table.Length > 0)
            _files.ForEach(file => ServerStart.RequireTable(file, Table));

        var served = ParameterSetName == ByConnection ? Table : [.. _files];
        if (served.Length == 0 || !ShouldProcess($"{ListenAddress}:{Port}", $"Serve {string.Join(", ", served)}"))
            return;

        if (Credential.Length + Token.Length > 0 && Certificate is null && !IPAddress.IsLoopback(ListenAddress))
        {
            WriteWarning(
                "Passwords and tokens cross the network unencrypted. Give the server a certificate with -Certificate, or "
                    + "have a proxy speak TLS for it."
            );
        }

        if (Credential.Length + Token.Length + AllowedHost.Length == 0 && !IPAddress.IsLoopback(ListenAddress))
        {
            WriteWarning(
                "Anyone may read, so only requests to an IP address are answered. Allow the server's names with "
                    + "-AllowedHost, or give it credentials."
            );
        }

        if (ShareUpdates && Credential.Length + Token.Length > 0)
            WriteWarning("Updates are not shared: a cache keeps nothing that needs a credential, so clients get the stream.");

        var server = new ServerInfo(
            ParameterSetName == ByConnection
                ? ServerStart.FromPostgres(Database(), Settings(), StopToken)
                : ServerStart.FromFiles(Settings(), served, Dialect, StopToken)
        );
        SessionServers<ServerInfo>.Current.Add(server);
        WriteObject(server);
    }

    private ServerSettings Settings() =>
        new()
        {
            Address = ListenAddress,
            Port = Port,
            Certificate = Certificate,
            Connections = (ConnectionLimit, ConnectionLimitPerAddress),
            Site = SiteParameters.Read(AllowedHost, AllowedOrigin),
            Credential = Credential,
            Token = Token,
            HeartbeatInterval = TimeSpan.FromSeconds(HeartbeatSec),
            InstanceName = InstanceName,
            MaximumRecordSize = MaximumRecordSize,
            StatusPage = !NoStatusPage,
            Compress = Compress,
            ShareUpdates = ShareUpdates,
        };

    private ServedDatabase Database() =>
        new()
        {
            ConnectionString = ConnectionString!,
            Table = Table,
            Schema = Schema,
            KeyProperty = KeyProperty,
            Mode = Mode,
            LogPath = LogPath,
            Publication = Publication,
            MaximumSlotLag = MaximumSlotLag,
            PollInterval = TimeSpan.FromSeconds(PollIntervalSec),
            Listen = !NoListen,
        };
}

/// <summary>Stops servers of this session; their clients are disconnected, and resume from their cursors elsewhere or later.</summary>
[Cmdlet(VerbsLifecycle.Stop, "LockstepServer", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
public sealed class StopLockstepServerCommand : LockstepCmdlet
{
    /// <summary>The servers; the only running one if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public ServerInfo[]? Server { get; set; }

    private protected override void Process()
    {
        foreach (var server in Server ?? [SessionServers<ServerInfo>.Current.Only])
        {
            if (ShouldProcess(server.ToString(), "Stop the server"))
                server.Server.StopAsync().GetAwaiter().GetResult();
        }
    }
}

/// <summary>Lists the running servers of this session.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepServer")]
[OutputType(typeof(ServerInfo))]
public sealed class GetLockstepServerCommand : LockstepCmdlet
{
    private protected override void Process() => WriteObject(SessionServers<ServerInfo>.Current.Running, enumerateCollection: true);
}
