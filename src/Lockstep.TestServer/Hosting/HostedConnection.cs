using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Hosting;

/// <summary>The connection that a request came in by, as a feature of the request.</summary>
internal sealed class HostedConnection(ConnectionContext connection, HttpEndpoint endpoint)
{
    public HttpEndpoint Endpoint { get; } = endpoint;

    /// <summary>
    /// The bytes below HTTP: inside TLS, outside Kestrel's own chunk writer. What was framed once can go to every client as it is, and a response can be made that Kestrel
    /// would never write. To be used only between the start of a response and the end of its handler, and not together with the response's own body writer: they share one pipe.
    /// </summary>
    public PipeWriter RawOutput { get; } = connection.Transport.Output;

    public static HostedConnection Of(IFeatureCollection features) =>
        features.Get<HostedConnection>() ?? throw new InvalidOperationException("The request did not come through an HttpHost.");
}
