using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving.Hosting;

/// <summary>The connection that a request came through, as a feature of the request.</summary>
internal sealed class HostedConnection
{
    private readonly ConnectionContext _connection;

    private HostedConnection(ConnectionContext connection, HttpEndpoint endpoint, Socket socket)
    {
        _connection = connection;
        Endpoint = endpoint;
        IsExcess = connection.Features.GetRequiredFeature<CountedConnection>().IsExcess;
        Socket = socket;
        RawOutput = new SocketPipeWriter(socket);
    }

    public HttpEndpoint Endpoint { get; }

    /// <summary>Whether the server already has the maximum number of connections without this one.</summary>
    public bool IsExcess { get; }

    /// <summary>
    /// The connection's socket. Bytes sent here bypass TLS, and must not coincide with a flush of <see cref="RawOutput"/>.
    /// </summary>
    public Socket Socket { get; }

    /// <summary>Whether what is written passes through TLS.</summary>
    public bool IsTls { get; private set; }

    /// <summary>
    /// The bytes below HTTP: inside TLS, but bypassing Kestrel's chunk writer. Bytes framed once can be sent to every client unchanged, and
    /// responses are possible that Kestrel would never write. When a flush completes, the system has the bytes. Use it only while Kestrel
    /// itself writes nothing: both share one pipe.
    /// </summary>
    public PipeWriter RawOutput { get; private set; }

    public static HostedConnection Of(IFeatureCollection features) =>
        features.Get<HostedConnection>() ?? throw new InvalidOperationException("The request did not come through an HttpHost.");

    /// <summary>Takes over the sending side of a newly accepted connection; its requests find this as a feature.</summary>
    public static HostedConnection Attach(ConnectionContext connection, HttpEndpoint endpoint)
    {
        var socket = connection.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;
        HostedConnection hosted = new(connection, endpoint, socket);
        connection.Transport = new DuplexPipe(connection.Transport.Input, hosted.RawOutput);
        connection.Features.Set(hosted);
        return hosted;
    }

    /// <summary>From now on, what is written passes through TLS.</summary>
    public void UseTls(PipeWriter output)
    {
        IsTls = true;
        RawOutput = output;
    }

    /// <summary>
    /// Ends the connection after the last flushed byte. Nothing can be written afterwards; abort the request, which sends nothing more.
    /// </summary>
    /// <param name="how">
    /// With <see cref="CutKind.Fin"/> the client gets everything that was sent and then the end; this waits until it has closed its side,
    /// or the host stops.
    /// </param>
    public async Task EndAsync(CutKind how)
    {
        if (how == CutKind.Reset)
        {
            _connection.Abort(new ConnectionAbortedException("The connection is reset on purpose."));
            return;
        }
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return;
        }
        TaskCompletionSource closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using (_connection.ConnectionClosed.Register(closed.SetResult))
            await closed.Task.ConfigureAwait(false);
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
