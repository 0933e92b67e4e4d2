using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization.Metadata;
using Lockstep.Cli.Commands;
using Lockstep.Cli.Serving;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What the file of lockstep serve --config says of the server itself, beside the command line and when it is reloaded.</summary>
public sealed class ServeReloadTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Misplaced =>
        [.. ServeCommand.Create().Options.Select(option => option.Name).Where(name => !ConfigPlaces.Besides.Contains(name))];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Misplaced))]
    public async Task An_option_that_belongs_in_the_file_is_refused_with_its_place_there(string name)
    {
        await WriteAsync("""{ "listen": { "port": 0 } }""");
        var option = ServeCommand.Create().Options.Single(option => option.Name == name);
        string[] value =
            option.ValueType == typeof(bool) ? []
            : option.ValueType.IsEnum ? [Enum.GetNames(option.ValueType)[0]]
            : option.ValueType == typeof(long?) ? ["64MB"]
            : ["1"];

        var error = await Assert.ThrowsAsync<ArgumentException>(() =>
            Program.RunAsync(["serve", "--config", _folder["lockstep.json"], name, .. value]).WaitAsync(Eventually.Deadline, Cancel)
        );

        Assert.StartsWith($"{name} has no effect beside --config", error.Message, StringComparison.Ordinal);
        Assert.All(ConfigPlaces.Of[name], place => Assert.Contains(place, error.Message, StringComparison.Ordinal));
        Assert.All(ConfigPlaces.Of[name], place => Assert.True(IsMember(place), place));
    }

    [Fact]
    public void Only_options_that_exist_have_a_place()
    {
        string[] all = [.. ServeCommand.Create().Options.Select(option => option.Name)];

        Assert.Empty(ConfigPlaces.Of.Keys.Concat(ConfigPlaces.Besides).Except(all));
        Assert.Equal(["--certificate", "--certificate-key", "--config"], ConfigPlaces.Besides.Order());
    }

    [Fact]
    public async Task A_token_in_the_environment_that_the_file_does_not_name_is_refused()
    {
        await WriteAsync("""{ "listen": { "port": 0 } }""");
        await using var server = ServeService.Begin(
            _folder.Path,
            new() { ["LOCKSTEP_SERVER_TOKEN"] = "secret" },
            "--config",
            "lockstep.json"
        );

        Assert.Equal(2, await server.EndAsync());
        Assert.Contains("LOCKSTEP_SERVER_TOKEN has no effect beside --config", server.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{ "listen": { "connectionLimit": 0 } }""", "listen.connectionLimit")]
    [InlineData("""{ "listen": { "connectionLimitPerAddress": -1 } }""", "listen.connectionLimitPerAddress")]
    [InlineData("""{ "listen": { "certificateKey": "key.pem" } }""", "listen.certificate")]
    [InlineData("""{ "listen": { "certificate": "nothing.pem" } }""", "nothing.pem' cannot be used")]
    [InlineData("""{ "listen": { "certificate": "lockstep.json" } }""", "lockstep.json' cannot be used")]
    [InlineData("""{ "log": { "level": "Loud" } }""", "log.level must be one of")]
    [InlineData("""{ "log": { "format": "Json" } }""", "log.format needs a log.level")]
    [InlineData(
        """{ "databases": [{ "connection": "Host=a", "tables": ["a"], "maximumSlotLag": 16777215 }] }""",
        "maximumSlotLag is 16777216"
    )]
    [InlineData(
        """{ "databases": [{ "connection": "Host=a", "tables": ["a"], "maximumSlotLag": "4GB" }] }""",
        "maximumSlotLag must be a whole"
    )]
    public async Task What_the_file_cannot_say_is_refused_by_the_name_of_the_member(string json, string reason)
    {
        await WriteAsync(json);

        var run = await CliProcess.RunAsync(_folder.Path, "serve", "--config", "lockstep.json");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_file_names_the_certificate_and_a_reload_reads_it_again_without_cutting_off_clients()
    {
        await using var feed = new TextFeed("""{"id":1,"updated_at":1}""");
        await SyncAsync(feed);
        var first = await WriteCertificateAsync();
        await WriteAsync(
            """{ "listen": { "port": 0, "certificate": "cert.pem", "certificateKey": "key.pem" }, "files": [{ "path": "servers.db" }] }"""
        );
        await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
#pragma warning disable CA5359 // What is tested is which certificate is shown.
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
#pragma warning restore CA5359
        using var client = new HttpClient(handler);
        Assert.Equal(first, await ThumbprintAsync(server.Uri));
        await Eventually.WithoutAsync<HttpRequestException>(() => client.GetStringAsync(new Uri(server.Uri, "readyz/servers"), Cancel));
        using var lines = new StreamReader(await client.GetStreamAsync(new Uri(server.Uri, "servers"), Cancel));
        await ReadUntilAsync(lines, "\"id\":1");

        // A file that is not a certificate changes nothing.
        await File.WriteAllTextAsync(_folder["cert.pem"], "nonsense", Cancel);
        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Contains("is unchanged", StringComparison.Ordinal));
        Assert.Equal(first, await ThumbprintAsync(server.Uri));

        var second = await WriteCertificateAsync();
        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Contains("was reloaded.", StringComparison.Ordinal));
        Assert.NotEqual(first, second);
        Assert.Equal(second, await ThumbprintAsync(server.Uri));

        feed.Answer("""{"id":2,"updated_at":2}""");
        await SyncAsync(feed);
        await ReadUntilAsync(lines, "\"id\":2");
        Assert.Equal(0, await server.TerminateAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_certificates_of_authorities_in_the_file_are_sent_too(bool isPkcs12)
    {
        using ECDsa rootKey = ECDsa.Create(),
            middleKey = ECDsa.Create(),
            key = ECDsa.Create();
        var (from, until) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var root = Authority("CN=root", rootKey).CreateSelfSigned(from, until);
        using var middle = Authority("CN=middle", middleKey).Create(root, from, until, [1]).CopyWithPrivateKey(middleKey);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        using var bare = request.Create(middle, from, until, [2]);
        using var certificate = bare.CopyWithPrivateKey(key);
        if (isPkcs12)
        {
            X509Certificate2Collection all = [certificate, X509CertificateLoader.LoadCertificate(middle.RawData)];
            await File.WriteAllBytesAsync(_folder["cert"], all.Export(X509ContentType.Pkcs12)!, Cancel);
        }
        else
        {
            string[] parts = [certificate.ExportCertificatePem(), middle.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem()];
            await File.WriteAllTextAsync(_folder["cert"], string.Join('\n', parts), Cancel);
        }

        await WriteAsync("""{ "listen": { "port": 0, "certificate": "cert" } }""");
        await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
        await AuthenticateAsync();
        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Contains("was reloaded.", StringComparison.Ordinal));
        await AuthenticateAsync();

        // The client knows the root alone.
        async Task AuthenticateAsync()
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancel);
            await using var tls = new SslStream(client.GetStream());
            var trust = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { root },
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = trust },
                Cancel
            );
        }

        static CertificateRequest Authority(string name, ECDsa key) =>
            new(name, key, HashAlgorithmName.SHA256)
            {
                CertificateExtensions = { new X509BasicConstraintsExtension(true, false, 0, true) },
            };
    }

    [Fact]
    public async Task What_only_a_restart_changes_is_named_at_every_reload()
    {
        await WriteAsync("""{ "listen": { "port": 0, "allowedHosts": ["a"] } }""");
        await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
        await WriteAsync("""{ "listen": { "port": 1, "heartbeatSeconds": 2, "allowedHosts": ["a"], "certificate": "cert.pem" } }""");
        await WriteCertificateAsync(keyIn: "cert.pem");
        const string Told = "except what needs a restart: listen.port, listen.heartbeatSeconds, listen.certificate.";

        for (var times = 1; times <= 2; times++)
        {
            server.Signal("HUP");
            await Eventually.TrueAsync(() => server.Error.Split(Told).Length == times + 1, server.Error);
        }

        await WriteAsync("""{ "listen": { "port": 0, "allowedHosts": ["a"] } }""");
        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Contains("The configuration was reloaded.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_log_is_as_the_file_says_from_the_reload_on_unless_the_command_line_says_it()
    {
        await WriteAsync("""{ "listen": { "port": 0 } }""");
        await using var plain = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
        await using var given = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json", "--log-level", "Information");
        Assert.DoesNotContain("Information Lockstep", plain.Error, StringComparison.Ordinal);

        await WriteAsync("""{ "listen": { "port": 0 }, "log": { "level": "Error", "format": "Json" } }""");
        plain.Signal("HUP");
        given.Signal("HUP");
        // What is at the level Information is no longer logged, except where the command line asks for it.
        await Eventually.TrueAsync(() => given.Error.Contains("\"message\":\"The configuration was reloaded.\"", StringComparison.Ordinal));

        await WriteAsync("""{ "listen": { "port": 0 }, "log": { "level": "Information", "format": "Json" } }""");
        plain.Signal("HUP");
        await Eventually.TrueAsync(() => plain.Error.Contains("\"message\":\"The configuration was reloaded.\"", StringComparison.Ordinal));
        Assert.Single(plain.Error.Split('\n'), line => line.Contains("was reloaded", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--log-level", "Error")]
    [InlineData]
    public async Task A_reload_that_fails_is_an_error_in_the_log_each_time(params string[] level)
    {
        await WriteAsync("""{ "listen": { "port": 0 } }""");
        await using var server = await ServeService.StartAsync(_folder.Path, [], ["--config", "lockstep.json", .. level]);
        await WriteAsync("{");

        // More often than lines that others cause are written in a minute.
        for (var times = 1; times <= 11; times++)
        {
            server.Signal("HUP");
            await Eventually.TrueAsync(() => server.Error.Split("The configuration is unchanged").Length == times + 1);
        }
    }

    [Fact]
    public async Task The_file_limits_connections()
    {
        await WriteAsync("""{ "listen": { "port": 0, "connectionLimit": 5, "connectionLimitPerAddress": 1 } }""");
        await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
        using var holding = new TcpClient();
        await holding.ConnectAsync(IPAddress.Loopback, server.Uri.Port, Cancel);
        using var client = new HttpClient();
        using var answer = await client.GetAsync(new Uri(server.Uri, "nothing"), Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
    }

    [Theory]
    [InlineData(
        """{ "listen": { "port": 0, "shareUpdates": true }, "credentials": [{ "tokenFile": "token" }] }""",
        "updates are not shared"
    )]
    [InlineData(
        """{ "listen": { "port": 0, "address": "0.0.0.0" }, "credentials": [{ "tokenFile": "token" }] }""",
        "with listen.certificate"
    )]
    [InlineData("""{ "listen": { "port": 0, "address": "0.0.0.0" } }""", "with listen.allowedHosts")]
    public async Task What_a_configuration_does_unexpectedly_is_told_at_the_start_and_at_a_reload(string json, string told)
    {
        await File.WriteAllTextAsync(_folder["token"], "secret", Cancel);
        await WriteAsync(json);
        await using var server = await ServeService.StartAsync(_folder.Path, [], "--config", "lockstep.json");
        await Eventually.TrueAsync(() => server.Error.Contains(told, StringComparison.Ordinal), server.Error);

        server.Signal("HUP");
        await Eventually.TrueAsync(() => server.Error.Split(told).Length == 3, server.Error);
    }

    /// <summary>Whether a configuration can have a member, such as <c>databases[].feeds[].key</c>.</summary>
    private static bool IsMember(string place)
    {
        JsonTypeInfo type = ServeConfigJson.Default.ServeConfig;
        foreach (var part in place.Split('.'))
        {
            var name = part.Replace("[]", "", StringComparison.Ordinal);
            if (type.Properties.FirstOrDefault(property => property.Name == name) is not { } member)
                return false;
            type = type.Options.GetTypeInfo(member.PropertyType);
            if (part.EndsWith("[]", StringComparison.Ordinal))
                type = type.Options.GetTypeInfo(member.PropertyType.GetGenericArguments()[0]);
        }

        return true;
    }

    private Task WriteAsync(string json) => File.WriteAllTextAsync(_folder["lockstep.json"], json, Cancel);

    private async Task SyncAsync(TextFeed feed) =>
        Assert.Equal(0, await Program.RunAsync(["sync", feed.Uri, "--path", _folder["servers.db"], "-q"]));

    /// <summary>Writes a new certificate, and returns its thumbprint.</summary>
    private async Task<string> WriteCertificateAsync(string keyIn = "key.pem")
    {
        using var key = ECDsa.Create();
        using var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1)
        );
        await File.WriteAllTextAsync(_folder["cert.pem"], certificate.ExportCertificatePem() + "\n", Cancel);
        if (keyIn != "cert.pem")
            File.Delete(_folder[keyIn]);
        await File.AppendAllTextAsync(_folder[keyIn], key.ExportPkcs8PrivateKeyPem(), Cancel);
        return certificate.Thumbprint;
    }

    /// <summary>The certificate that a new connection gets.</summary>
    private static async Task<string> ThumbprintAsync(Uri server)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port, Cancel);
        await using var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsClientAsync(
#pragma warning disable CA5359 // What is tested is which certificate is shown.
            new SslClientAuthenticationOptions { TargetHost = "localhost", RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
            Cancel
        );
        return ((X509Certificate2)tls.RemoteCertificate!).Thumbprint;
    }

    private static async Task ReadUntilAsync(StreamReader lines, string text)
    {
        for (var line = ""; !line!.Contains(text, StringComparison.Ordinal); line = await lines.ReadLineAsync(Cancel))
            Assert.NotNull(line);
    }
}
