using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>
/// Behaves like the original's client: requests with the last record's order value as the cursor, decodes one object per HTTP chunk and
/// fails on anything else, keeps the last record of each key, and forgets records with a <c>deleted_at</c>.
/// </summary>
internal sealed class OriginalClient(Uri feed, string order = "updated_at")
{
    private long _last;

    /// <summary>Where it connects; a relay that restarts may be elsewhere.</summary>
    public Uri Feed { get; set; } = feed;

    /// <summary>The table: the record of each key, as received.</summary>
    public SortedDictionary<long, string> Table { get; } = [];

    /// <summary>The order value of the last record, which is the cursor.</summary>
    public long Cursor { get; private set; }

    /// <summary>Records received, including tombstones.</summary>
    public int Received { get; private set; }

    /// <summary>The status of the last answer.</summary>
    public string Status { get; private set; } = "";

    /// <summary>Connects, reads past heartbeats until it has reached a cursor, and disconnects.</summary>
    public Task FollowToAsync(long cursor) => ReadAsync(int.MaxValue, inPath: false, () => Cursor >= cursor);

    /// <summary>Connects, reads up to a heartbeat or until this many records have arrived, and disconnects.</summary>
    public Task ReadAsync(int most = int.MaxValue, bool inPath = false) => ReadAsync(most, inPath, isEnough: null);

    private async Task ReadAsync(int most, bool inPath, Func<bool>? isEnough)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Feed.Port, cancel);
        await using var stream = socket.GetStream();
        var cursor = Cursor.ToString(CultureInfo.InvariantCulture);
        var target = inPath ? $"{Feed.AbsolutePath}/{cursor}" : $"{Feed.AbsolutePath}?since={cursor}";
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), cancel);
        Status = await LineAsync(stream, cancel);
        if (!Status.Contains(" 200 ", StringComparison.Ordinal))
            return;
        var isChunked = false;
        while (await LineAsync(stream, cancel) is { Length: > 0 } header)
            isChunked |= header == "Transfer-Encoding: chunked";
        Assert.True(isChunked);

        // Within one connection the order values rise, except for the first record, which is the last one received before.
        _last = Cursor - 1;
        while (most > 0)
        {
            var length = int.Parse(await LineAsync(stream, cancel), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.True(length > 0, "The body ended.");
            var chunk = new byte[length];
            await stream.ReadExactlyAsync(chunk, cancel);
            Assert.Equal("", await LineAsync(stream, cancel));
            var isHeartbeat = !Take(chunk);
            if (isEnough?.Invoke() ?? isHeartbeat)
                return;
            most--;
        }
    }

    /// <summary>Handles a chunk; false for a heartbeat.</summary>
    private bool Take(byte[] chunk)
    {
        using var json = JsonDocument.Parse(chunk);
        var record = json.RootElement;
        Assert.Equal(JsonValueKind.Object, record.ValueKind);
        if (record.TryGetProperty("heartbeat", out _))
            return false;
        Received++;
        var position = record.GetProperty(order).GetInt64();
        Assert.True(position > _last, $"{position} comes after {_last}.");
        Cursor = _last = position;
        var key = record.GetProperty("id").GetInt64();
        if (record.TryGetProperty("deleted_at", out var gone) && gone.ValueKind != JsonValueKind.Null)
            Table.Remove(key);
        else
            Table[key] = Encoding.UTF8.GetString(chunk).TrimEnd('\n');
        return true;
    }

    private static async Task<string> LineAsync(NetworkStream stream, CancellationToken cancel)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (!line.ToString().EndsWith("\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, cancel);
            line.Append((char)one[0]);
        }

        return line.ToString()[..^2];
    }
}
