using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Lockstep.TestServer.Tests;

/// <summary>HTTP over a plain socket, so that a test sees each byte and each chunk as the server wrote it.</summary>
internal sealed class RawClient : IAsyncDisposable
{
    private readonly TcpClient _socket;
    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    private RawClient(TcpClient socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
    }

    public static async Task<RawClient> ConnectAsync(Uri uri, CancellationToken cancellationToken)
    {
        TcpClient socket = new() { NoDelay = true };
        await socket.ConnectAsync(uri.Host, uri.Port, cancellationToken);
        if (uri.Scheme != Uri.UriSchemeHttps)
            return new RawClient(socket, socket.GetStream());
#pragma warning disable CA5359 // The test's own certificate; what is tested is the server's side.
        SslStream tls = new(socket.GetStream(), leaveInnerStreamOpen: false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await tls.AuthenticateAsClientAsync(uri.Host);
        return new RawClient(socket, tls);
    }

    /// <summary>Connects, requests a path of the server and reads the head of the answer.</summary>
    public static async Task<(RawClient Client, string Head)> GetAsync(
        Uri uri,
        string path,
        CancellationToken cancellationToken,
        string headers = ""
    )
    {
        var client = await ConnectAsync(uri, cancellationToken);
        await client.SendAsync($"GET {path} HTTP/1.1\r\nHost: {uri.Authority}\r\n{headers}\r\n", cancellationToken);
        return (client, await client.ReadHeadAsync(cancellationToken));
    }

    public async Task SendAsync(string text, CancellationToken cancellationToken) =>
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(text), cancellationToken);

    /// <summary>The status line and the headers, with the empty line that ends them.</summary>
    public async Task<string> ReadHeadAsync(CancellationToken cancellationToken)
    {
        StringBuilder head = new();
        for (var line = ""; line != "\r\n"; head.Append(line))
            line = await ReadLineAsync(cancellationToken);
        return head.ToString();
    }

    /// <summary>The payload of the next chunk; empty for the last one.</summary>
    public async Task<string> ReadChunkAsync(CancellationToken cancellationToken)
    {
        var size = await ReadLineAsync(cancellationToken);
        var payload = await ReadAsync(int.Parse(size.TrimEnd(), NumberStyles.HexNumber, CultureInfo.InvariantCulture), cancellationToken);
        Assert.Equal("\r\n", await ReadLineAsync(cancellationToken));
        return payload;
    }

    /// <summary>Chunks until their payloads make up a text of this length.</summary>
    public async Task<string> ReadChunkedAsync(int length, CancellationToken cancellationToken)
    {
        StringBuilder text = new();
        while (text.Length < length)
            text.Append(await ReadChunkAsync(cancellationToken));
        return text.ToString();
    }

    public async Task<string> ReadAsync(int length, CancellationToken cancellationToken)
    {
        StringBuilder text = new(length);
        while (text.Length < length)
        {
            if (!await FillAsync(cancellationToken))
                throw new EndOfStreamException("The server closed the connection.");
            var take = Math.Min(length - text.Length, _end - _start);
            text.Append(Encoding.Latin1.GetString(_buffer, _start, take));
            _start += take;
        }
        return text.ToString();
    }

    /// <summary>Everything up to the end of the connection.</summary>
    /// <exception cref="IOException">The connection was reset.</exception>
    public async Task<string> ReadToEndAsync(CancellationToken cancellationToken)
    {
        StringBuilder text = new();
        while (await FillAsync(cancellationToken))
        {
            text.Append(Encoding.Latin1.GetString(_buffer, _start, _end - _start));
            _start = _end;
        }
        return text.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        StringBuilder line = new();
        do line.Append((char)await ReadByteAsync(cancellationToken));
        while (line[^1] != '\n');
        return line.ToString();
    }

    private async ValueTask<byte> ReadByteAsync(CancellationToken cancellationToken)
    {
        if (!await FillAsync(cancellationToken))
            throw new EndOfStreamException("The server closed the connection.");
        return _buffer[_start++];
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start < _end)
            return true;
        _start = 0;
        _end = await _stream.ReadAsync(_buffer, cancellationToken);
        return _end > 0;
    }
}
