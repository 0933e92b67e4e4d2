using System.Buffers.Text;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Turns rows (txid, deleted, data as JSON text) into the lines of the transaction dialect, in pieces of about <see cref="PieceBytes"/>
/// that are never written again once taken. The JSON's bytes are copied once, from the driver's buffer.
/// </summary>
internal sealed class FeedLines
{
    /// <summary>Below the size at which arrays go to the large object heap.</summary>
    public const int PieceBytes = 64 * 1024;

    private const int EnvelopeBytes = 160;
    private byte[] _piece = [];
    private int _written;

    /// <summary>Rows appended so far.</summary>
    public int Rows { get; private set; }

    /// <summary>Bytes appended so far, in all pieces.</summary>
    public long Bytes { get; private set; }

    /// <summary>The pieces that are full, oldest first; the caller takes and clears them.</summary>
    public List<ReadOnlyMemory<byte>> Full { get; } = [];

    /// <summary>Appends the reader's row.</summary>
    /// <param name="row">Stands on the row; without a txid it gets the horizon for one.</param>
    /// <param name="horizon">The most that its <c>since</c> may be.</param>
    /// <param name="sent">Knows which rows were sent already, which are left out; null to leave out none.</param>
    public void Append(NpgsqlDataReader row, long horizon, SentRows? sent = null)
    {
        var txid = row.IsDBNull(0) ? horizon : row.GetInt64(0);
        var length = checked((int)row.GetBytes(2, 0, null, 0, 0));
        Reserve(length + EnvelopeBytes);
        var start = _written;
        Write("{\"txid\":"u8);
        Write(txid);
        Write(",\"current_xmin\":"u8);
        Write(horizon);
        Write(",\"since\":"u8);
        Write(Math.Min(txid, horizon));
        Write(row.GetBoolean(1) ? ",\"deleted\":true,\"data\":"u8 : ",\"deleted\":false,\"data\":"u8);
        for (var read = 0; read < length; )
            read += (int)row.GetBytes(2, read, _piece, _written + read, length - read);

        // A value of type json is sent as it was written, with its line breaks; outside a string they are white space, and inside they are
        // escaped.
        var json = _piece.AsSpan(_written, length);
        json.Replace((byte)'\n', (byte)' ');
        json.Replace((byte)'\r', (byte)' ');
        if (sent?.IsRepeated(txid, row.GetBoolean(1), json) == true)
        {
            _written = start;
            return;
        }

        _written += length;
        Write("}\n"u8);
        Rows++;
        Bytes += _written - start;
    }

    /// <summary>Everything not yet taken, the last piece cut to size.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Take()
    {
        if (_written > 0)
            Full.Add(_written < _piece.Length / 2 ? _piece.AsSpan(0, _written).ToArray() : _piece.AsMemory(0, _written));
        (_piece, _written) = ([], 0);
        ReadOnlyMemory<byte>[] pieces = [.. Full];
        Full.Clear();
        return pieces;
    }

    private void Reserve(int bytes)
    {
        if (_piece.Length - _written >= bytes)
            return;
        if (_written > 0)
            Full.Add(_piece.AsMemory(0, _written));
        (_piece, _written) = (new byte[Math.Max(bytes, PieceBytes)], 0);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_piece.AsSpan(_written));
        _written += bytes.Length;
    }

    private void Write(long number)
    {
        Utf8Formatter.TryFormat(number, _piece.AsSpan(_written), out var length);
        _written += length;
    }
}
