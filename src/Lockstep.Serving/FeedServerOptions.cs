using System.Net;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Serving;

/// <summary>How feeds are served over HTTP.</summary>
public sealed record FeedServerOptions
{
    /// <summary>The address to listen on. Loopback by default.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port, 0 to 65535; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>The certificate for TLS, which the caller keeps and disposes; null for plain HTTP.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// The certificates between the certificate and the authority that clients trust, which are sent with it. If there are none, the system
    /// looks for them, also on the Internet.
    /// </summary>
    public X509Certificate2Collection CertificateChain { get; init; } = [];

    /// <summary>Who may read; empty for everybody. The paths /livez and /readyz reveal nothing that needs a credential.</summary>
    public IReadOnlyList<FeedCredential> Credentials { get; init; } = [];

    /// <summary>
    /// The names under which clients may reach the server: required if it listens beyond loopback and everybody may read. IP addresses are
    /// always accepted, and so is <c>localhost</c> if it listens on loopback.
    /// </summary>
    public IReadOnlyCollection<string> AllowedHosts { get; init; } = [];

    /// <summary>The web pages of other sites that may send requests, each by its origin.</summary>
    public IReadOnlyCollection<string> AllowedOrigins { get; init; } = [];

    /// <summary>
    /// Whether answers are compressed for clients that ask for it (br, gzip), at most 64 at once. Default: no. It costs processor time per
    /// client, and over TLS the length of what is sent can reveal something of its content to someone who can write rows (BREACH).
    /// </summary>
    public bool Compress { get; init; }

    /// <summary>
    /// Whether clients that can take live updates in pages get them so, for a cache in front of the server, which then requests each page
    /// once for all of them. Default: no, since each page is a request, and updates come a little later. Only of feeds without credentials.
    /// </summary>
    public bool ShareUpdates { get; init; }

    /// <summary>The limits on connections.</summary>
    public ConnectionLimits Connections { get; init; } = new();

    /// <summary>
    /// How many bytes read but not yet sent the clients may hold together; at least 1 MiB, default 64 MiB. If that is not enough, they wait
    /// in turn, and those that take nothing are cut off.
    /// </summary>
    public long BufferBytes { get; init; } = SendBudget.DefaultBytes;

    /// <summary>The longest silence on a feed; above zero, default 15 s.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long new clients get the pages of one snapshot before a new one is started; default 60 s.</summary>
    public TimeSpan SnapshotAge { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a cache may keep a page of a snapshot; default 10 minutes.</summary>
    public TimeSpan PageAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Whether there is a page at <c>/_lockstep/</c> that shows clients, rates and the newest records: to clients with a credential or, if
    /// none is needed, to this machine only.
    /// </summary>
    public bool StatusPage { get; init; } = true;

    /// <summary>The initial value of <see cref="FeedServer.ExpectsFeeds"/>.</summary>
    public bool ExpectsFeeds { get; init; }

    /// <summary>
    /// Creates the log: starts and stops, clients (Debug), refusals, and failed reads (Warning); event ids are stable. Default: no log.
    /// </summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Sent as Instance-Name; null for none.</summary>
    public string? InstanceName { get; init; }
}
