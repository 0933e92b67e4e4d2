using System.Net.Sockets;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Responses;

/// <summary>The body of one response. One writer at a time.</summary>
internal abstract class ResponseBody
{
    /// <summary>Sends the head of the response.</summary>
    /// <param name="context">A response that has not started.</param>
    /// <param name="log">Gets the status and counts what is written.</param>
    /// <param name="length">The Content-Length; null for a chunked body, or one that ends with the connection for a client of
    /// HTTP/1.0.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async ValueTask<ResponseBody> StartAsync(
        HttpContext context,
        TestRequest log,
        long? length,
        CancellationToken cancellationToken
    )
    {
        return context.Features.Get<IResponseBodyFeature>() is { } other
            ? await other.StartBodyAsync(length, cancellationToken).ConfigureAwait(false)
            : await PlainBody.StartAsync(context, log, length, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds one chunk; <see cref="FlushAsync"/> sends it.</summary>
    /// <param name="payload">Not empty, or it would end the body.</param>
    /// <param name="records">How many records it holds, 0 or 1.</param>
    public abstract void Write(ReadOnlySpan<byte> payload, int records = 0);

    /// <summary>Adds records, in one chunk or in one each.</summary>
    public abstract void Write(ReadOnlySpan<ReadOnlyMemory<byte>> records, bool chunkEach);

    /// <summary>Adds the items of a list, with what stands between two of them.</summary>
    public abstract void WriteList(IReadOnlyList<ReadOnlyMemory<byte>> items, ReadOnlyMemory<byte> separator);

    /// <summary>Adds what stands behind the last item of a list and ends the body.</summary>
    public abstract void WriteBehindList(ReadOnlySpan<byte> payload);

    /// <summary>Sends what was added; waits while the client is slow to take it, so that memory stays bounded (I8).</summary>
    /// <exception cref="ConnectionAbortedException">The client is gone.</exception>
    public abstract ValueTask FlushAsync(CancellationToken cancellationToken);

    /// <summary>
    /// The socket that chunks can be sent to directly while nothing is pending here; null when TLS, a fault or an old client stands in the
    /// way.
    /// </summary>
    public virtual Socket? SharedSocket => null;

    /// <summary>Sends bytes that are framed (and counted) already; only where there is a <see cref="SharedSocket"/>.</summary>
    public virtual ValueTask SendFramedAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}

/// <summary>A feature of a request whose body is not to be sent as it should be.</summary>
internal interface IResponseBodyFeature
{
    /// <summary>Sends the head of the response; see <see cref="ResponseBody.StartAsync"/>.</summary>
    ValueTask<ResponseBody> StartBodyAsync(long? length, CancellationToken cancellationToken);
}
