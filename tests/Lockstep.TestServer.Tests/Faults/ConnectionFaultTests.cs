using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Serving.Hosting;
using Lockstep.Testing;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using static Lockstep.TestServer.Tests.Faults.FaultServer;

namespace Lockstep.TestServer.Tests.Faults;

/// <summary>Cut, stall, drip, slow headers, a bad certificate, and closing by hand.</summary>
public sealed class ConnectionFaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_cut_is_possible_behind_every_byte_of_the_body()
    {
        var all = A + B + C;
        await using var server = await StartAsync(Cancelled);
        for (var i = 0; i < all.Length; i++)
        {
            server.Faults.Clear();
            server.Faults.Add(new CutFault { AtByte = i });
            (var head, var rest) = await server.ReadAllAsync(Cancelled);
            Assert.Contains($"Content-Length: {all.Length}\r\n", head, StringComparison.Ordinal);
            Assert.Equal(all[..i], rest);
        }
    }

    [Fact]
    public async Task A_cut_is_possible_behind_every_byte_of_a_chunked_response()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RechunkFault { Size = 100 });
        var whole = await ReadRawAsync(server);
        Assert.Equal(A + B + C, Unchunk(whole[(whole.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]));
        for (var i = 0; i < whole.Length; i++)
        {
            var cut = server.Faults.Add(new CutFault { AtByte = i, Of = ByteCount.Response });
            Assert.Equal(whole[..i], await ReadRawAsync(server));
            server.Faults.Remove(cut.Id);
        }
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1, A)]
    [InlineData(3, A + B + C)]
    public async Task A_cut_behind_a_record_leaves_those_before_it(int record, string expected)
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        server.Faults.Add(new CutFault { AtRecord = record });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        // The cut comes before the end of the record's chunk.
        Assert.Equal(expected, rest.Length == 0 ? "" : Unchunk(rest + "\r\n0\r\n\r\n"));
        Assert.Equal(record, (await server.EndOfOnlyRequestAsync()).Records);
    }

    [Fact]
    public async Task A_cut_at_the_end_withholds_only_the_last_chunk()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new RechunkFault { Size = 0 });
        server.Faults.Add(new CutFault { AtEnd = true });
        (_, var rest) = await server.ReadAllAsync(Cancelled);
        Assert.Null(Unchunk(rest));
        Assert.Equal(A + B + C, Unchunk(rest + "0\r\n\r\n"));
    }

    [Fact]
    public async Task A_reset_is_an_error_for_the_client()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new CutFault { AtByte = 10, How = CutKind.Reset });
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        var error = await Assert.ThrowsAsync<IOException>(() => client.ReadToEndAsync(Cancelled));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(error.InnerException).SocketErrorCode);
        Assert.Equal(RequestEnding.Cut, (await server.EndOfOnlyRequestAsync()).Ending);
    }

    [Fact]
    public async Task A_stall_is_silent_for_its_time_with_everything_before_it_sent()
    {
        ManualTimeProvider time = new();
        await using var server = await StartAsync(Cancelled, time: time);
        server.Faults.Add(new StallFault { AtByte = 20, Duration = TimeSpan.FromHours(1) });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(A[..20], await client.ReadAsync(20, Cancelled));
            await time.WaitForTimersAsync(1, Cancelled);
            time.Advance(TimeSpan.FromMinutes(59));
            Assert.Equal(RequestEnding.Open, server.Requests[0].Ending);
            Assert.Equal(20, server.Requests[0].Bytes);
            time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal((A + B + C)[20..], await client.ReadToEndAsync(Cancelled));
        }
    }

    [Fact]
    public async Task A_stall_for_good_ends_with_the_client_or_the_server()
    {
        await using var server = await StartAsync(Cancelled);
        server.Faults.Add(new StallFault { AtRecord = 1 });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        Assert.Equal(A, await client.ReadAsync(A.Length, Cancelled));
        await client.DisposeAsync();
        Assert.Equal(RequestEnding.ClientClosed, (await server.EndOfOnlyRequestAsync()).Ending);
        var (next, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (next)
        {
            Assert.Equal(A, await next.ReadAsync(A.Length, Cancelled));
            await server.StopAsync();
            Assert.Equal("", await next.ReadToEndAsync(Cancelled));
        }
    }

    [Fact]
    public async Task A_drip_sends_so_many_bytes_an_interval()
    {
        ManualTimeProvider time = new();
        await using var server = await StartAsync(Cancelled, time: time);
        server.Faults.Add(new DripFault { Bytes = 3, Interval = TimeSpan.FromSeconds(1) });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            for (var i = 0; i < 12; i += 3)
            {
                await time.WaitForTimersAsync(1, Cancelled);
                Assert.Equal(i + 3, server.Requests[0].Bytes);
                Assert.Equal(A.Substring(i, 3), await client.ReadAsync(3, Cancelled));
                time.Advance(TimeSpan.FromSeconds(1));
            }
        }
    }

    [Fact]
    public async Task A_slow_head_comes_byte_by_byte_and_the_body_at_once()
    {
        ManualTimeProvider time = new();
        await using var server = await StartAsync(Cancelled, time: time);
        server.Faults.Add(new SlowHeadersFault { Bytes = 10, Interval = TimeSpan.FromSeconds(1) });
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await time.WaitForTimersAsync(1, Cancelled);
            head += await client.ReadAsync(head.StartsWith("HTTP", StringComparison.Ordinal) ? 1 : 10, Cancelled);
            if (head.Length % 10 == 0)
                time.Advance(TimeSpan.FromSeconds(1));
        }
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(A + B + C, await client.ReadToEndAsync(Cancelled));
    }

    [Theory]
    [InlineData(CertificateProblem.Untrusted, SslPolicyErrors.RemoteCertificateChainErrors)]
    [InlineData(CertificateProblem.Expired, SslPolicyErrors.RemoteCertificateChainErrors)]
    [InlineData(CertificateProblem.NotYetValid, SslPolicyErrors.RemoteCertificateChainErrors)]
    [InlineData(CertificateProblem.WrongHost, SslPolicyErrors.RemoteCertificateChainErrors | SslPolicyErrors.RemoteCertificateNameMismatch)]
    public async Task A_bad_certificate_is_shown_to_the_connections_that_are_meant(CertificateProblem problem, SslPolicyErrors expected)
    {
        using var proper = MakeCertificate();
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Finite,
            Certificate = proper,
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        server.Faults.Add(new TlsFault { Problem = problem, Request = 1 });
        (var bad, var errors) = await ShakeHandsAsync(server.Uri);
        using (bad)
        {
            Assert.NotEqual(proper.Thumbprint, bad.Thumbprint);
            Assert.Equal(expected, errors);
            var now = TimeProvider.System.GetUtcNow().UtcDateTime;
            Assert.Equal(problem == CertificateProblem.Expired, bad.NotAfter.ToUniversalTime() < now);
            Assert.Equal(problem == CertificateProblem.NotYetValid, bad.NotBefore.ToUniversalTime() > now);
        }
        (var good, _) = await ShakeHandsAsync(server.Uri);
        using (good)
            Assert.Equal(proper.Thumbprint, good.Thumbprint);
    }

    [Fact]
    public async Task Faults_and_exact_cuts_work_inside_TLS()
    {
        using var certificate = MakeCertificate();
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Certificate = certificate,
            Records = [A, B, C],
        };
        await using var server = await LockstepTestServer.StartAsync(options, cancellationToken: Cancelled);
        server.Faults.Add(new CutFault { AtRecord = 2 });
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
            Assert.Equal($"{A.Length:x}\r\n{A}\r\n{B.Length:x}\r\n{B}", await client.ReadToEndAsync(Cancelled));
    }

    [Theory]
    [InlineData(CutKind.Fin)]
    [InlineData(CutKind.Reset)]
    public async Task All_connections_can_be_closed_by_hand_and_the_server_goes_on(CutKind how)
    {
        await using var server = await StartAsync(Cancelled, endless: true);
        (var client, _) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(A + B + C, await client.ReadChunkedAsync((A + B + C).Length, Cancelled));
            Assert.Equal(1, server.CloseConnections(how));
            if (how == CutKind.Fin)
                Assert.Equal("", await client.ReadToEndAsync(Cancelled));
            else
                await Assert.ThrowsAsync<IOException>(() => client.ReadToEndAsync(Cancelled));
        }
        Assert.Equal(RequestEnding.Cut, (await server.EndOfOnlyRequestAsync()).Ending);
        var (next, _) = await RawClient.GetAsync(server.Uri, "/servers/3", Cancelled);
        await using (next)
            Assert.Equal(C, await next.ReadChunkAsync(Cancelled));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_is_closed_however_early_ends_as_it_was_asked_to(bool endless)
    {
        await using var server = await StartAsync(Cancelled, endless);
        for (var i = 1; i <= 200; i++)
        {
            await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
            await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", Cancelled);
            await server.WaitForRequestsAsync(i, Cancelled);
            // The response may not have started, may be in progress or over. A reset would discard what was sent to the client.
            server.CloseConnections();
            Assert.DoesNotContain("HTTP/1.1 5", await client.ReadToEndAsync(Cancelled), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_body_that_its_client_does_not_take_can_be_closed_and_what_was_sent_arrives()
    {
        await using var server = await TestServers.StartScriptedAsync(Cancelled, feed => feed.Endless = false);
        string padding = new('x', 1000);
        server.AddRecords(Enumerable.Range(1, 20_000).Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"text":"{{padding}}"}"""));
        (var client, var head) = await RawClient.GetAsync(server.Uri, "/servers/0", Cancelled);
        await using (client)
        {
            Assert.Equal(1, server.CloseConnections());
            Assert.True((await client.ReadToEndAsync(Cancelled)).Length < 20_000_000);
        }
        Assert.Contains("Content-Length: 2", head, StringComparison.Ordinal);
        Assert.Equal(RequestEnding.Cut, (await server.EndOfOnlyRequestAsync()).Ending);
    }

    private static async Task<string> ReadRawAsync(LockstepTestServer server)
    {
        await using var client = await RawClient.ConnectAsync(server.Uri, Cancelled);
        await client.SendAsync("GET /servers/0 HTTP/1.1\r\nHost: localhost\r\n\r\n", Cancelled);
        return await client.ReadToEndAsync(Cancelled);
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
    }

    private static async Task<(X509Certificate2 Certificate, SslPolicyErrors Errors)> ShakeHandsAsync(Uri uri)
    {
        (X509Certificate2? shown, var errors) = (null, SslPolicyErrors.None);
        using TcpClient socket = new();
        await socket.ConnectAsync(uri.Host, uri.Port, Cancelled);
#pragma warning disable CA5359 // What is tested is which certificate is shown.
        await using SslStream tls = new(
            socket.GetStream(),
            false,
            (_, certificate, _, found) =>
            {
                (shown, errors) = (X509CertificateLoader.LoadCertificate(certificate!.GetRawCertData()), found);
                return true;
            }
        );
#pragma warning restore CA5359
        await tls.AuthenticateAsClientAsync("127.0.0.1");
        return (shown!, errors);
    }
}
