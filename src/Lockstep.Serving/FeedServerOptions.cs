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
    /// <summary>The address to listen on. Loopback unless told otherwise.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port, 0 to 65535; 0 for a free one.</summary>
    public int Port { get; init; }

    /// <summary>Makes the server speak TLS; the caller keeps and disposes it.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Who may read; empty for everybody. The paths /livez and /readyz say nothing that needs a credential.</summary>
    public IReadOnlyList<FeedCredential> Credentials { get; init; } = [];

    /// <summary>
    /// The names under which the server is asked for: needed where it listens beyond loopback and everybody may read. IP addresses always
    /// pass, and <c>localhost</c> where it listens on loopback.
    /// </summary>
    public IReadOnlyCollection<string> AllowedHosts { get; init; } = [];

    /// <summary>The web pages of other sites that may ask, each by its origin.</summary>
    public IReadOnlyCollection<string> AllowedOrigins { get; init; } = [];

    /// <summary>
    /// Whether answers are compressed for clients that ask for it (br, gzip), at most 64 at once. Default: no. It costs processor time for
    /// each client, and over TLS the length of what is sent can tell something of it to who may write rows (BREACH).
    /// </summary>
    public bool Compress { get; init; }

    /// <summary>How many connections there may be.</summary>
    public ConnectionLimits Connections { get; init; } = new();

    /// <summary>
    /// How many bytes of what was read and not yet sent the clients may hold together; at least 1 MiB, default 64 MiB. Where that is not
    /// enough, they wait in turn, and those that take nothing are cut off.
    /// </summary>
    public long BufferBytes { get; init; } = SendBudget.DefaultBytes;

    /// <summary>The longest silence on a feed; above zero, default 15 s.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long the pages of one snapshot are handed to new clients, before a fresh one is begun; default 60 s.</summary>
    public TimeSpan SnapshotAge { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a cache may keep a page; default 10 minutes.</summary>
    public TimeSpan PageAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Whether there is a page at <c>/_lockstep/</c> that shows clients, rates and the newest records: to who has a credential, or, where
    /// none is needed, to this machine.
    /// </summary>
    public bool StatusPage { get; init; } = true;

    /// <summary>
    /// Makes the log: starts and stops, clients (Debug), refusals, and reads that fail (Warning); event ids are stable. Default: no log.
    /// </summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Sent as Instance-Name; null for none.</summary>
    public string? InstanceName { get; init; }
}
