using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Hosting;

/// <summary>
/// The connection below HTTP, as a feature of each request on it: inside TLS, outside Kestrel's own chunk writer. Bytes that were framed once can go to every
/// client as they are, and a response can be made that Kestrel would never write. To be used only between the start of a response and the end of its handler,
/// and not together with the response's own body writer: the two share one pipe.
/// </summary>
internal sealed class RawOutput(ConnectionContext connection)
{
    public PipeWriter Writer { get; } = connection.Transport.Output;

    public HttpEndpoint Endpoint { get; init; } = null!;

    public static RawOutput Of(IFeatureCollection features) =>
        features.Get<RawOutput>() ?? throw new InvalidOperationException("The request did not come through an HttpHost.");
}
