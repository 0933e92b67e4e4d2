using System.Net;
using System.Security.Cryptography.X509Certificates;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer;

/// <summary>What a <see cref="LockstepTestServer"/> is to be. Read once, when it starts.</summary>
public sealed class TestServerOptions
{
    /// <summary>The port of the reference server.</summary>
    public const int DefaultPort = 4567;

    /// <summary>0 to 65535; 0 has the system pick a free one.</summary>
    public int Port { get; set; } = DefaultPort;

    /// <summary>
    /// The port that answers everything with a 307 to <see cref="Port"/>. Null: one above it (or a free one, with 0) for the reference
    /// feed, none for the others.
    /// </summary>
    public int? RedirectPort { get; set; }

    /// <summary>Loopback unless told otherwise.</summary>
    public IPAddress ListenAddress { get; set; } = IPAddress.Loopback;

    /// <summary>A certificate with its private key, to serve TLS on both ports; the caller keeps it. Null for plain HTTP.</summary>
    public X509Certificate2? Certificate { get; set; }

    /// <summary>What is served.</summary>
    public FeedKind Feed { get; set; }

    /// <summary>How the scripted feed behaves.</summary>
    public ScriptedFeedOptions Scripted { get; } = new();

    /// <summary>Records that the scripted feed has from the start, each a JSON object. They are read when the server starts.</summary>
    public IEnumerable<string> Records { get; set; } = [];

    /// <summary>A file with one JSON object a line, whose records come after <see cref="Records"/>; null for none.</summary>
    public string? RecordsFile { get; set; }

    /// <summary>The recording that the Replay feed serves.</summary>
    public string? ReplayFile { get; set; }

    /// <summary>How much faster than it was recorded: 1 as it was, 2 twice as fast, infinity without any pause. Above 0.</summary>
    public double ReplaySpeed { get; set; } = 1;

    /// <summary>A file with a scenario to start at once; null for none. See <see cref="Scenarios.Scenario.Parse"/>.</summary>
    public string? ScenarioFile { get; set; }

    /// <summary>Whether the server can be controlled over HTTP, under <c>/_lockstep/</c>, by everyone who reaches it.</summary>
    public bool ControlPath { get; set; } = true;

    /// <summary>How many of the newest requests are kept, 0 or more.</summary>
    public int RequestLogCapacity { get; set; } = 10_000;

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(Port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Port, IPEndPoint.MaxPort);
        ArgumentOutOfRangeException.ThrowIfNegative(RequestLogCapacity);
        if (EffectiveRedirectPort is < 0 or > IPEndPoint.MaxPort)
        {
            throw new ArgumentOutOfRangeException(
                nameof(RedirectPort),
                EffectiveRedirectPort,
                "The redirecting port must lie between 0 and 65535. Choose a lower port, or 0 for free ones."
            );
        }

        if (Scripted.HeartbeatInterval is { } interval)
            ArgumentOutOfRangeException.ThrowIfLessThan(interval, TimeSpan.FromMilliseconds(1), nameof(Scripted.HeartbeatInterval));
        if ((Feed == FeedKind.Replay) != (ReplayFile is not null))
            throw new ArgumentException("The Replay feed and a file to replay belong together. Give both or neither.", nameof(ReplayFile));
        if (!(ReplaySpeed > 0))
        {
            throw new ArgumentOutOfRangeException(
                nameof(ReplaySpeed),
                ReplaySpeed,
                "The speed must be above 0; infinity leaves the pauses out."
            );
        }

        if (!string.IsNullOrWhiteSpace(Scripted.Separator))
            throw new ArgumentException("Only white space may stand between records.", nameof(Scripted.Separator));
        if (Feed != FeedKind.Scripted && (RecordsFile is not null || Records.Any()))
        {
            throw new ArgumentException(
                "Only the Scripted feed serves records of your own. Choose that feed, or give no records.",
                nameof(Feed)
            );
        }
    }

    internal int? EffectiveRedirectPort =>
        RedirectPort
        ?? (
            Feed != FeedKind.Reference ? null
            : Port == 0 ? 0
            : Port + 1
        );
}
