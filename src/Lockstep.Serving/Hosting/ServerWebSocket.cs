using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving.Hosting;

/// <summary>Turns a request into a WebSocket (RFC 6455, section 4.2), for a handler of an <see cref="HttpHost"/>.</summary>
public static class ServerWebSocket
{
    private const string Guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    /// <summary>
    /// Answers 101 and hands over the socket. The handler must not return before it is done with the socket, and disposes it.
    /// </summary>
    /// <param name="context">A request that has not been answered yet.</param>
    /// <param name="keepAlive">How often a ping is sent; <see cref="TimeSpan.Zero"/> for never.</param>
    /// <returns>
    /// The socket; null if the request does not ask for one, or does so incorrectly, in which case the answer (400, or 426 with the
    /// supported version) is set.
    /// </returns>
    public static async Task<WebSocket?> AcceptAsync(HttpContext context, TimeSpan keepAlive)
    {
        ArgumentNullException.ThrowIfNull(context);
        var asked = context.Request.Headers;
        string? key = asked.SecWebSocketKey;
        if (
            context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade
            || !HttpMethods.IsGet(context.Request.Method)
            || !"websocket".Equals(asked.Upgrade, StringComparison.OrdinalIgnoreCase)
            || !IsKey(key)
        )
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return null;
        }
        if (asked.SecWebSocketVersion != "13")
        {
            context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            context.Response.Headers.SecWebSocketVersion = "13";
            return null;
        }
        context.Response.Headers.Upgrade = "websocket";
        context.Response.Headers.SecWebSocketAccept = AcceptValue(key!);
        var stream = await upgrade.UpgradeAsync().ConfigureAwait(false);
        return WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true, KeepAliveInterval = keepAlive });
    }

    private static bool IsKey(string? key)
    {
        Span<byte> bytes = stackalloc byte[24];
        return key is { Length: 24 } && Convert.TryFromBase64String(key, bytes, out var length) && length == 16;
    }

    private static string AcceptValue(string key)
    {
#pragma warning disable CA5350 // The protocol's own digest; it proves that the server understood the handshake and protects nothing.
        return Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + Guid)));
#pragma warning restore CA5350
    }
}
