using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Cli.Output;
using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Lockstep.Postgres;
using Lockstep.Serving.Hosting;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>The configuration of <c>lockstep serve --config</c>. It holds no secrets: they are in files or in the environment.</summary>
/// <remarks>Its members are settable, because generated code would not apply the defaults of init-only ones.</remarks>
internal sealed record ServeConfig
{
    private static readonly JsonDocumentOptions Tolerant = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public ListenConfig Listen { get; set; } = new();

    public LogConfig Log { get; set; } = new();

    public IReadOnlyList<DatabaseConfig> Databases { get; set; } = [];

    public IReadOnlyList<FileConfig> Files { get; set; } = [];

    public IReadOnlyList<CredentialConfig> Credentials { get; set; } = [];

    /// <summary>Reads a file; comments and trailing commas are allowed.</summary>
    /// <exception cref="ArgumentException">It does not exist, or is not a valid configuration; the message says where.</exception>
    public static ServeConfig Read(string path)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path), Tolerant);
            var type = ServeConfigJson.Default.ServeConfig;
            ConfigShape.Check(json.RootElement, type);
            var config = json.RootElement.Deserialize(type)!;
            config.Check();
            return config;
        }
        // InvalidOperationException: text that is not Unicode.
        catch (Exception e)
            when (e is JsonException or IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException)
        {
            throw new ArgumentException($"The configuration '{path}' cannot be used: {PlainText.MessageOf(e)}");
        }
    }

    /// <summary>The members that only a restart changes, and that differ from what the server was started with.</summary>
    public IEnumerable<string> RestartMembers(ServeConfig started)
    {
        var type = ServeConfigJson.Default.ListenConfig;
        foreach (var member in type.Properties)
        {
            // With TLS, another certificate is used from the next connection on.
            var isCertificate = member.Name is "certificate" or "certificateKey";
            if (isCertificate && (Listen.Certificate is null) == (started.Listen.Certificate is null))
                continue;
            if (Text(member, this) != Text(member, started))
                yield return $"listen.{member.Name}";
        }

        string Text(JsonPropertyInfo member, ServeConfig config) =>
            JsonSerializer.Serialize(member.Get!(config.Listen), type.Options.GetTypeInfo(member.PropertyType));
    }

    private void Check()
    {
        if (Listen.Port is < 0 or > 65535)
            throw new ArgumentException("listen.port takes a port, 0 to 65535.");
        if (Listen.HeartbeatSeconds is not (> 0 and <= 86400))
            throw new ArgumentException("listen.heartbeatSeconds takes seconds, above 0 and up to a day.");
        if (Listen.ConnectionLimit < 1 || Listen.ConnectionLimitPerAddress < 1)
            throw new ArgumentException("listen.connectionLimit and listen.connectionLimitPerAddress are 1 or more.");
        if (Listen.CertificateKey is not null && Listen.Certificate is null)
            throw new ArgumentException("listen.certificateKey needs a listen.certificate.");
        if (Log is { Format: not null, Level: null })
            throw new ArgumentException("log.format needs a log.level.");
        foreach (var database in Databases)
            database.Check();
        foreach (var file in Files)
        {
            if (string.IsNullOrEmpty(file.Path))
                throw new ArgumentException("Each of files needs a path.");
        }
    }
}

/// <summary>Where the server listens, and how. Changes need a restart, except of the certificate.</summary>
internal sealed record ListenConfig
{
    public string Address { get; set; } = "127.0.0.1";

    public int Port { get; set; } = 4567;

    public double HeartbeatSeconds { get; set; } = 15;

    public string? InstanceName { get; set; }

    public bool StatusPage { get; set; } = true;

    public bool Compress { get; set; }

    public bool ShareUpdates { get; set; }

    public IReadOnlyList<string> AllowedHosts { get; set; } = [];

    public IReadOnlyList<string> AllowedOrigins { get; set; } = [];

    public int ConnectionLimit { get; set; } = new ConnectionLimits().Most;

    public int ConnectionLimitPerAddress { get; set; } = new ConnectionLimits().MostPerAddress;

    /// <summary>The file of the TLS certificate; null for plain HTTP.</summary>
    public string? Certificate { get; set; }

    /// <summary>The file of its private key; null if the certificate's file has it.</summary>
    public string? CertificateKey { get; set; }
}

/// <summary>What is logged to standard error.</summary>
internal sealed record LogConfig
{
    /// <summary>The lowest level; null for only what an operator must know.</summary>
    public LogLevel? Level { get; set; }

    public LogFormat? Format { get; set; }
}

/// <summary>A database, and what is served from it.</summary>
internal sealed record DatabaseConfig
{
    /// <summary>A connection string or URI; the password may come from PGPASSWORD or the password file of libpq.</summary>
    public string? Connection { get; set; }

    /// <summary>The environment variable that holds the connection string instead.</summary>
    public string? ConnectionVariable { get; set; }

    /// <summary>Names or patterns, <c>public.*</c>; each is served under the table's name.</summary>
    public IReadOnlyList<string> Tables { get; set; } = [];

    /// <summary>The tables to leave out of the patterns.</summary>
    public IReadOnlyList<string> Exclude { get; set; } = [];

    /// <summary>Tables with their own settings.</summary>
    public IReadOnlyList<TableConfig> Feeds { get; set; } = [];

    public PostgresFeedMode Mode { get; set; }

    /// <summary>With replication: the folder of the change logs.</summary>
    public string? LogPath { get; set; }

    public string? Publication { get; set; }

    /// <summary>With replication: how many bytes of its log the database may have to keep for the slot.</summary>
    public long MaximumSlotLag { get; set; } = PostgresReplicationOptions.DefaultSlotLagBytes;

    public double PollIntervalSeconds { get; set; } = 1;

    public bool Listen { get; set; } = true;

    public int MaxReaders { get; set; } = 4;

    /// <summary>The largest record in bytes; a larger one is left out.</summary>
    public int MaximumRecordSize { get; set; } = TableFeedOptions.DefaultMaximumRowBytes;

    /// <summary>Prepended to the names of its feeds.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>After how many days tombstones are deleted; null for never.</summary>
    public double? TombstoneRetentionDays { get; set; }

    public void Check()
    {
        if (Connection is null == ConnectionVariable is null)
            throw new ArgumentException("Each of databases needs a connection or a connectionVariable.");
        if (Tables.Count + Feeds.Count == 0)
            throw new ArgumentException("Each of databases needs tables or feeds.");
        if (Mode == PostgresFeedMode.Replication && LogPath is null)
            throw new ArgumentException("The mode Replication needs a logPath.");
        if (PollIntervalSeconds <= 0 || MaxReaders < 1 || TombstoneRetentionDays < 0)
            throw new ArgumentException("pollIntervalSeconds is above 0, maxReaders at least 1, tombstoneRetentionDays not below 0.");
        if (MaximumSlotLag < PostgresReplicationOptions.LeastSlotLagBytes)
            throw new ArgumentException($"maximumSlotLag is {PostgresReplicationOptions.LeastSlotLagBytes} or more.");
        if (MaximumRecordSize < 1024)
            throw new ArgumentException("maximumRecordSize is 1024 or more.");
    }

    /// <exception cref="ArgumentException">It cannot be parsed, or the variable is not set.</exception>
    public string ReadConnection() =>
        PostgresConnectionString.Parse(
            Connection
                ?? Environment.GetEnvironmentVariable(ConnectionVariable!)
                ?? throw new ArgumentException($"The environment variable {ConnectionVariable} is not set.")
        );
}

/// <summary>A table with its own settings.</summary>
internal sealed record TableConfig
{
    public required string Table { get; set; }

    /// <summary>The feed's name; null for the table's.</summary>
    public string? Name { get; set; }

    public IReadOnlyList<string> Key { get; set; } = [];
}

/// <summary>A table file.</summary>
internal sealed record FileConfig
{
    public required string Path { get; set; }

    public string? Table { get; set; }

    /// <summary>The dialect in which it is served.</summary>
    public ServedDialect Dialect { get; set; }

    /// <summary>The largest record in bytes; a larger one is left out.</summary>
    public int MaximumRecordSize { get; set; } = TableFeedOptions.DefaultMaximumRowBytes;
}

/// <summary>Who may read.</summary>
internal sealed record CredentialConfig
{
    public string? User { get; set; }

    public string? PasswordFile { get; set; }

    public string? PasswordVariable { get; set; }

    /// <summary>Bearer tokens, one per line.</summary>
    public string? TokenFile { get; set; }

    public string? TokenVariable { get; set; }

    /// <summary>The feeds that it opens; null for all.</summary>
    public IReadOnlyList<string>? Feeds { get; set; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    UseStringEnumConverter = true,
    WriteIndented = false
)]
[JsonSerializable(typeof(ServeConfig))]
internal sealed partial class ServeConfigJson : JsonSerializerContext;
