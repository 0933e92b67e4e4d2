using System.Management.Automation;
using System.Net;
using System.Security;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Serving.Hosting;

namespace Lockstep.Servers;

/// <summary>How a server should listen, as specified by the user.</summary>
internal sealed record ServerSettings
{
    public required IPAddress Address { get; init; }

    /// <summary>0 for a free one.</summary>
    public required int Port { get; init; }

    public X509Certificate2? Certificate { get; init; }

    /// <summary>The names under which requests may reach it, and the web pages from which.</summary>
    public SiteRules Site { get; init; } = new();

    /// <summary>The most connections, in total and from one address.</summary>
    public required (int Most, int PerAddress) Connections { get; init; }

    /// <summary>Users and passwords that may read.</summary>
    public PSCredential[] Credential { get; init; } = [];

    /// <summary>Bearer tokens that may read.</summary>
    public SecureString[] Token { get; init; } = [];

    public required TimeSpan HeartbeatInterval { get; init; }

    public string? InstanceName { get; init; }

    /// <summary>The largest record in bytes.</summary>
    public required int MaximumRecordSize { get; init; }

    public bool StatusPage { get; init; }

    /// <summary>Whether answers are compressed for clients that ask for it.</summary>
    public bool Compress { get; init; }

    /// <summary>Whether live updates come in pages that a cache can share.</summary>
    public bool ShareUpdates { get; init; }
}

/// <summary>Which tables of a database to serve, and how to detect changes, as specified by the user.</summary>
internal sealed record ServedDatabase
{
    public required string ConnectionString { get; init; }

    public required string[] Table { get; init; }

    public string? Schema { get; init; }

    public string[] KeyProperty { get; init; } = [];

    public ServerMode Mode { get; init; }

    /// <summary>For replication: a folder's full path.</summary>
    public string? LogPath { get; init; }

    public string? Publication { get; init; }

    /// <summary>For replication: bytes.</summary>
    public long MaximumSlotLag { get; init; }

    public required TimeSpan PollInterval { get; init; }

    public bool Listen { get; init; }
}
