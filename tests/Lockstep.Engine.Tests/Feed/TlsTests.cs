using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.TestServer;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>TLS is verified unless the user says otherwise, and a redirect never leaves it.</summary>
public sealed class TlsTests : SyncTest
{
    private const string Password = "s3cr3t-pass";

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused_and_the_error_says_so()
    {
        await using var server = await StartAsync();

        (var error, _) = await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(server.FeedUri));

        Assert.Contains("secure connection", error.Message, StringComparison.Ordinal);
        Assert.Contains("certificate", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("SkipCertificateCheck", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task It_is_taken_when_the_user_says_so()
    {
        await using var server = await StartAsync();

        var run = await SyncRun.ToEndAsync(Options(server.FeedUri, skipCheck: true));

        Assert.Equal((1L, 1L), (run.Result.Added, run.Result.Deleted));
        Assert.StartsWith("https://", run.Result.Feed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_taken_when_an_authority_of_a_file_vouches_for_it_and_the_name_is_checked_all_the_same()
    {
        using X509Certificate2 authority = Authority("CN=a private one"),
            other = Authority("CN=another one");
        await using var server = await StartAsync(IssuedBy(authority, IPAddress.Loopback));
        await using var wrong = await StartAsync(IssuedBy(authority, IPAddress.Parse("192.0.2.1")));
        File.WriteAllText(Folder("ca.pem"), "# ours\n" + other.ExportCertificatePem() + "\n" + authority.ExportCertificatePem());
        File.WriteAllText(Folder("other.pem"), other.ExportCertificatePem());

        await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(server.FeedUri, authority: Folder("other.pem")));
        await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(wrong.FeedUri, authority: Folder("ca.pem")));
        var run = await SyncRun.ToEndAsync(Options(server.FeedUri, authority: Folder("ca.pem")));

        Assert.Equal(1L, run.Result.Added);
    }

    [Theory]
    [InlineData("nothing here")]
    [InlineData(null)]
    public void A_file_without_a_certificate_is_told_before_anything_is_sent(string? text)
    {
        if (text is not null)
            File.WriteAllText(Folder("ca.pem"), text);

        var error = Assert.Throws<InvalidOptionException>(() =>
            Options(new Uri("https://feeds.example/servers"), authority: Folder("ca.pem")).Validate()
        );

        Assert.Contains("CertificateAuthority takes a PEM file", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(CertificateProblem.Expired)]
    [InlineData(CertificateProblem.WrongHost)]
    [InlineData(CertificateProblem.NotYetValid)]
    [InlineData(CertificateProblem.Untrusted)]
    public async Task A_bad_certificate_is_refused_until_it_is_mended_and_counts_as_an_attempt(CertificateProblem problem)
    {
        await using var server = await StartAsync();
        server.Faults.Add(new TlsFault { Problem = problem });

        (var error, var events) = await SyncRun.ToErrorAsync<FeedUnreachableException>(Options(server.FeedUri, retries: 2));

        Assert.Contains("certificate", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(3, events.Count(e => e.Kind == FeedEventKind.SocketError));
        Assert.Empty(server.Requests);
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task A_redirect_from_https_to_http_is_refused_and_nothing_is_sent_there()
    {
        await using var open = RawServer.WithBodies(Record(1, 1));
        await using var server = await StartAsync();
        foreach (var code in (int[])[301, 302, 307, 308])
        {
            server.Faults.Clear();
            server.Faults.Add(new RedirectFault { Code = code, To = open.FeedUri.AbsoluteUri });
            var uri = new UriBuilder(server.FeedUri) { UserName = "me", Password = Password }.Uri;

            (var error, _) = await SyncRun.ToErrorAsync<FeedRedirectException>(Options(uri, skipCheck: true, retries: 5));

            Assert.Contains("from https to http", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(Password, error.ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(4, server.Requests.Count);
        Assert.Empty(open.Requests);
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task A_redirect_from_http_to_https_is_followed_without_credentials()
    {
        await using var secure = await StartAsync();
        await using var server = new RawServer(exchange => exchange.RedirectAsync(secure.FeedUri.AbsoluteUri + "0", 302));
        var uri = new UriBuilder(server.FeedUri) { UserName = "me", Password = Password }.Uri;

        var run = await SyncRun.ToEndAsync(Options(uri, skipCheck: true));

        Assert.Equal(1, run.Result.Added);
        Assert.Contains("Authorization", Assert.Single(server.Requests), StringComparison.Ordinal);
        Assert.DoesNotContain("Authorization", Assert.Single(secure.Requests).Headers.Keys);
    }

    [Fact]
    public async Task A_client_certificate_is_shown_to_a_server_that_asks_for_one()
    {
        using X509Certificate2 mine = Certificate("CN=lockstep-client"),
            its = Certificate("CN=localhost");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var shown = AnswerAsync(listener, its);
        var uri = new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/servers/");

        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = uri,
                    Certificate = mine,
                    SkipCertificateCheck = true,
                },
                Store = new FileTableStore(TablePath),
            }
        );

        Assert.Equal(1, run.Result.Added);
        Assert.Equal(mine.Thumbprint, await shown);
    }

    [Fact]
    [Trait("Invariant", "I9")]
    public async Task A_client_certificate_does_not_go_to_another_origin_that_a_redirect_names()
    {
        using X509Certificate2 mine = Certificate("CN=lockstep-client"),
            its = Certificate("CN=localhost");
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var shown = AnswerAsync(listener, its);
        var other = $"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/servers/0";
        await using var server = new RawServer(exchange => exchange.RedirectAsync(other, 302));

        var run = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = server.FeedUri,
                    Certificate = mine,
                    SkipCertificateCheck = true,
                },
                Store = new FileTableStore(TablePath),
            }
        );

        Assert.Equal(1, run.Result.Added);
        Assert.Null(await shown);
    }

    /// <summary>Answers one request, and reports whose certificate came with it.</summary>
    private static async Task<string?> AnswerAsync(TcpListener listener, X509Certificate2 certificate)
    {
        using var client = await listener.AcceptTcpClientAsync(Cancellation);
        await using var stream = new SslStream(client.GetStream());
#pragma warning disable CA5359 // The test is about what is shown, not about who vouches for it.
        await stream.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificate = certificate,
                ClientCertificateRequired = true,
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
                EnabledSslProtocols = SslProtocols.None,
            },
            Cancellation
        );
#pragma warning restore CA5359
        _ = await stream.ReadAsync(new byte[4096], Cancellation);
        var body = Record(1, 1);
        await stream.WriteAsync(
            System.Text.Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}"),
            Cancellation
        );
        return (stream.RemoteCertificate as X509Certificate2)?.Thumbprint;
    }

    private SyncOptions Options(Uri uri, bool skipCheck = false, int? retries = null, string? authority = null) =>
        new()
        {
            Feed = new FeedOptions
            {
                Uri = uri,
                SkipCertificateCheck = skipCheck,
                CertificateAuthority = authority,
            },
            Store = new FileTableStore(TablePath),
            MaximumRetryCount = retries,
            RetryInterval = TimeSpan.FromMilliseconds(5),
            Settle = TimeSpan.FromMilliseconds(200),
        };

    private static X509Certificate2 Authority(string subject)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
    }

    private static X509Certificate2 IssuedBy(X509Certificate2 authority, IPAddress address)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var issued = request.Create(authority, now.AddDays(-1), now.AddDays(1), [1, 2, 3, 4]);
        return issued.CopyWithPrivateKey(key);
    }

    private static async Task<LockstepTestServer> StartAsync(X509Certificate2? its = null)
    {
        using var certificate = its ?? Certificate("CN=localhost");
        // The server copies what it needs from it, and outlives this method.
        return await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Finite,
                Certificate = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null),
            },
            cancellationToken: Cancellation
        );
    }

    private static X509Certificate2 Certificate(string subject)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
