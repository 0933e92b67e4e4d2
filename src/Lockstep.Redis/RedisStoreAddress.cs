using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>
/// Which store a URI names: <c>redis://user:password@host:port/database?option=value</c>, or <c>rediss://</c> for TLS. Several hosts, apart
/// by commas, are those of a cluster or of Sentinels. Immutable. Options:
/// <list type="bullet">
/// <item><c>prefix</c>: what all keys begin with; <c>lockstep</c> by default. Stores of one server are told apart by it.</item>
/// <item><c>sentinel</c>: the hosts are Sentinels, which know the primary by this name.</item>
/// <item><c>waitReplicas</c>, <c>waitMs</c>: a change counts as made once so many replicas have it; waits a second by default.</item>
/// <item><c>fsync=always</c>: changes are refused unless the server has each on its disk before it answers.</item>
/// <item><c>ca</c>: a PEM file with the certificate that the server's must be signed by.</item>
/// </list>
/// </summary>
internal sealed partial class RedisStoreAddress
{
    private const int RedisPort = 6379;
    private const int SentinelPort = 26379;
    private const int LongestWaitMs = 60_000;

    private const string Form =
        "The URI of the Redis store cannot be read. It is like redis://user:password@host:6379/0?prefix=flags; what is no "
        + "letter or digit in user and password is percent-encoded.";

    private readonly string? _caFile;

    private RedisStoreAddress(string? caFile) => _caFile = caFile;

    /// <summary>How to connect, a password included.</summary>
    public required ConfigurationOptions Options { get; init; }

    /// <summary>The store without user and password (I9).</summary>
    public required string Description { get; init; }

    /// <summary>The prefix of all keys of the store; as a hash tag, so that a cluster keeps them in one place.</summary>
    public required string Prefix { get; init; }

    /// <summary>How many replicas must have a change before it counts as made.</summary>
    public required int Replicas { get; init; }

    /// <summary>How long they may take, in whole milliseconds.</summary>
    public required int WaitMs { get; init; }

    /// <summary>
    /// After so long an operation has failed, whatever the driver does: while it reads certain answers, its own clock stands still.
    /// </summary>
    public TimeSpan LongestOperation => TimeSpan.FromMilliseconds(Options.AsyncTimeout + 10_000);

    /// <summary>Whether the server must have each change on its disk before it answers.</summary>
    public required bool RequiresFsync { get; init; }

    /// <summary>Whether a text is such a URI.</summary>
    public static bool IsUri(string text) =>
        text.StartsWith("redis://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("rediss://", StringComparison.OrdinalIgnoreCase);

    /// <exception cref="ArgumentException">It cannot be parsed; the message does not repeat it (I9).</exception>
    public static RedisStoreAddress Parse(string text)
    {
        var match = Parts().Match(text);
        if (!match.Success)
            throw new ArgumentException(Form);
        var options = ReadOptions(match.Groups["options"].Value);
        var isTls = match.Groups["tls"].Success;
        var service = options.GetValueOrDefault("sentinel");
        var settings = NewSettings(isTls, service);
        AddHosts(settings, match.Groups["hosts"].Value, service is null ? RedisPort : SentinelPort);
        settings.SslHost = isTls && settings.EndPoints[0] is DnsEndPoint named ? named.Host : null;
        if (match.Groups["user"].Value is { Length: > 0 } user)
            settings.User = Uri.UnescapeDataString(user);
        if (match.Groups["password"].Success)
            settings.Password = Uri.UnescapeDataString(match.Groups["password"].Value);
        settings.DefaultDatabase = match.Groups["database"].Success ? Number(match.Groups["database"].Value, 0, 10_000, "The database") : 0;

        var prefix = options.GetValueOrDefault("prefix", "lockstep");
        if (!PrefixForm().IsMatch(prefix))
            throw new ArgumentException("A prefix consists of 1 to 100 letters, digits, dots, colons, dashes and underscores.");
        var fsync = options.GetValueOrDefault("fsync");
        if (fsync is not (null or "always"))
            throw new ArgumentException("fsync is 'always', or left out.");
        var wait = Number(options.GetValueOrDefault("waitMs", "1000"), 1, LongestWaitMs, "waitMs");
        settings.AsyncTimeout += wait;
        var address = new RedisStoreAddress(options.GetValueOrDefault("ca"))
        {
            Options = settings,
            Prefix = $"{{{prefix}}}:",
            Replicas = Number(options.GetValueOrDefault("waitReplicas", "0"), 0, 100, "waitReplicas"),
            WaitMs = wait,
            RequiresFsync = fsync is not null,
            Description =
                $"{(isTls ? "rediss" : "redis")}://{string.Join(',', settings.EndPoints.Select(Show))}/"
                + $"{settings.DefaultDatabase}?prefix={prefix}"
                + (service is null ? "" : $"&sentinel={service}"),
        };
        return address;
    }

    /// <summary>Reads the files that the address names, right before connecting.</summary>
    /// <exception cref="RedisException">The certificate's file cannot be read.</exception>
    public ConfigurationOptions Complete()
    {
        var options = Options.Clone();
        if (_caFile is null)
            return options;
        try
        {
            options.TrustIssuer(_caFile);
            return options;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new RedisException($"the certificate {_caFile} cannot be read: {e.Message}", e);
        }
    }

    private static ConfigurationOptions NewSettings(bool isTls, string? service) =>
        new()
        {
            Ssl = isTls,
            ServiceName = service,
            ClientName = "lockstep",
            // The first connection fails with the reason, and the next operation tries again; later ones are opened in the background.
            AbortOnConnectFail = true,
            ConnectRetry = 0,
            ConnectTimeout = 5000,
            AsyncTimeout = 5000,
            SyncTimeout = 5000,
            ReconnectRetryPolicy = new LinearRetry(250),
            HeartbeatInterval = TimeSpan.FromMilliseconds(500),
            KeepAlive = 5,
            // CLIENT ID and CONFIG GET count as administrative.
            AllowAdmin = true,
            TieBreaker = "",
            ConfigurationChannel = "",
            IncludeDetailInExceptions = false,
            // What cannot be sent now fails now, with the reason, and is certainly not sent later.
            BacklogPolicy = BacklogPolicy.FailFast,
        };

    private static void AddHosts(ConfigurationOptions settings, string hosts, int defaultPort)
    {
        foreach (var host in hosts.Split(','))
        {
            var parsed = EndPointCollection.TryParse(host) ?? throw new ArgumentException(Form);
            settings.EndPoints.Add(
                parsed switch
                {
                    DnsEndPoint { Port: 0 } named => new DnsEndPoint(named.Host, defaultPort),
                    IPEndPoint { Port: 0 } address => new IPEndPoint(address.Address, defaultPort),
                    _ => parsed,
                }
            );
        }
    }

    private static Dictionary<string, string> ReadOptions(string text)
    {
        string[] known = ["prefix", "sentinel", "waitReplicas", "waitMs", "fsync", "ca"];
        var options = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var option in text.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = option.Split('=', 2);
            if (parts.Length < 2 || !known.Contains(parts[0]) || !options.TryAdd(parts[0], Uri.UnescapeDataString(parts[1])))
            {
                // Not repeated: an at sign that was not encoded makes half of a password an option.
                throw new ArgumentException(
                    $"The URI of the Redis store has an unknown or repeated option. The options are {string.Join(", ", known)}."
                );
            }
        }

        return options;
    }

    private static int Number(string text, int least, int most, string what) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{what} is a number from {least} to {most}.");

    private static string Show(EndPoint host) =>
        host switch
        {
            DnsEndPoint named => $"{named.Host}:{named.Port}",
            IPEndPoint { AddressFamily: AddressFamily.InterNetworkV6 } address => $"[{address.Address}]:{address.Port}",
            _ => $"{host}",
        };

    [GeneratedRegex(
        @"\Aredis(?<tls>s)?://((?<user>[^:@/?\s]*)(:(?<password>[^@/?\s]*))?@)?"
            + @"(?<hosts>[^@/?\s]+)(/(?<database>[0-9]+)?)?(\?(?<options>[^@\s]*))?\z",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant
    )]
    private static partial Regex Parts();

    [GeneratedRegex(@"\A[A-Za-z0-9._:-]{1,100}\z", RegexOptions.CultureInvariant)]
    private static partial Regex PrefixForm();
}
