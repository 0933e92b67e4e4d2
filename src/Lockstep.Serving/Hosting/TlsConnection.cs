using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// TLS on an accepted connection. Kestrel's own UseHttps needs services that only its dependency injection can create, so this does the
/// little that it would do.
/// </summary>
internal static class TlsConnection
{
    private static readonly TimeSpan HandshakePatience = TimeSpan.FromSeconds(10);

    public static async Task RunAsync(ConnectionContext connection, HostedConnection hosted, ConnectionDelegate next)
    {
        var plain = connection.Transport;
        SslStream tls = new(new DuplexPipeStream(plain), leaveInnerStreamOpen: false);
        await using (tls.ConfigureAwait(false))
        {
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(connection.ConnectionClosed);
                patience.CancelAfter(HandshakePatience);
                await tls.AuthenticateAsServerAsync(hosted.Endpoint.Tls, patience.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (error is AuthenticationException or IOException or OperationCanceledException)
            {
                // The client refused the certificate or disconnected: that is its right, and there is nobody left to answer.
                return;
            }
            connection.Features.Set<ITlsConnectionFeature>(new TlsFeature());
            StreamPipe pipe = new(tls);
            connection.Transport = pipe;
            hosted.UseTls(pipe.Output);
            try
            {
                await next(connection).ConfigureAwait(false);
                await pipe.Output.CompleteAsync().ConfigureAwait(false);
                await pipe.Input.CompleteAsync().ConfigureAwait(false);
            }
            catch (IOException)
            {
                // The client closed the connection while the last bytes were on their way.
            }
            finally
            {
                connection.Transport = plain;
            }
        }
    }

    private sealed class StreamPipe(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
    }

    /// <summary>Its presence makes the requests' scheme https. Client certificates are not requested.</summary>
    private sealed class TlsFeature : ITlsConnectionFeature
    {
        public X509Certificate2? ClientCertificate { get; set; }

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);
    }
}
