using System.Globalization;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Tests.Faults;

/// <summary>A server with three records and one fault, and what a plain socket sees of it.</summary>
internal static class FaultServer
{
    public const string A = """{"id":1,"updated_at":1,"deleted_at":null}""" + "\n";
    public const string B = """{"id":2,"updated_at":2,"deleted_at":null}""" + "\n";
    public const string C = """{"id":3,"updated_at":3,"deleted_at":3}""" + "\n";

    public static async Task<LockstepTestServer> StartAsync(
        CancellationToken cancellationToken,
        bool endless = false,
        TimeProvider? time = null
    )
    {
        TestServerOptions options = new()
        {
            Port = 0,
            Feed = FeedKind.Scripted,
            Records = [A, B, C],
        };
        (options.Scripted.Endless, options.Scripted.Identity) = (endless, "feed-1");
        return await LockstepTestServer.StartAsync(options, time, cancellationToken);
    }

    /// <summary>The head and everything up to the end of the connection.</summary>
    public static async Task<(string Head, string Body)> ReadAllAsync(
        this LockstepTestServer server,
        CancellationToken cancellationToken,
        string path = "/servers/0",
        string headers = ""
    )
    {
        (var client, var head) = await RawClient.GetAsync(server.Uri, path, cancellationToken, headers);
        await using (client)
            return (head, await client.ReadToEndAsync(cancellationToken));
    }

    /// <summary>Removes the chunk framing; null if the last chunk is missing.</summary>
    public static string? Unchunk(string body)
    {
        var text = "";
        while (true)
        {
            var line = body.IndexOf("\r\n", StringComparison.Ordinal);
            if (line < 0)
                return null;
            var size = int.Parse(body.AsSpan(0, line), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (body.Length < line + 4 + size)
                return null;
            text += body.Substring(line + 2, size);
            body = body[(line + 4 + size)..];
            if (size == 0)
                return body.Length == 0 ? text : null;
        }
    }
}
