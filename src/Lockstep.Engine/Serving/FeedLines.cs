using System.Buffers.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// Makes of rows the lines of the transaction dialect, in pieces of about <see cref="PieceBytes"/> that are never written again once taken.
/// A row's JSON is copied once. Used by one thread at a time.
/// </summary>
internal sealed class FeedLines
{
    /// <summary>Below the size at which arrays go to the large object heap.</summary>
    public const int PieceBytes = 64 * 1024;

    private const int EnvelopeBytes = 160;
    private byte[] _piece = [];
    private int _written;
    private ArraySegment<byte> _data;

    /// <summary>Rows appended so far.</summary>
    public int Rows { get; private set; }

    /// <summary>Bytes appended so far, in all pieces.</summary>
    public long Bytes { get; private set; }

    /// <summary>The pieces that are full, oldest first; the caller takes and clears them.</summary>
    public List<ReadOnlyMemory<byte>> Full { get; } = [];

    /// <summary>Appends a row.</summary>
    /// <param name="transaction">What changed it last: a transaction, or a number that stands for one.</param>
    /// <param name="horizon">The most that its <c>since</c> may be.</param>
    /// <param name="isDeleted">Whether it is a tombstone.</param>
    /// <param name="json">The row's JSON object.</param>
    public void Append(long transaction, long horizon, bool isDeleted, ReadOnlySpan<byte> json)
    {
        json.CopyTo(Begin(transaction, horizon, isDeleted, json.Length));
        End();
    }

    /// <summary>
    /// Begins a row whose JSON the caller writes to the place returned. <see cref="End"/> appends it; without that, the next one takes its
    /// place.
    /// </summary>
    /// <param name="transaction">As in <see cref="Append"/>.</param>
    /// <param name="horizon">Likewise.</param>
    /// <param name="isDeleted">Likewise.</param>
    /// <param name="length">Of the JSON, in bytes.</param>
    public ArraySegment<byte> Begin(long transaction, long horizon, bool isDeleted, int length)
    {
        Reserve(length + EnvelopeBytes);
        var at = _written;
        Write("{\"txid\":"u8, ref at);
        Write(transaction, ref at);
        Write(",\"current_xmin\":"u8, ref at);
        Write(horizon, ref at);
        Write(",\"since\":"u8, ref at);
        Write(Math.Min(transaction, horizon), ref at);
        Write(isDeleted ? ",\"deleted\":true,\"data\":"u8 : ",\"deleted\":false,\"data\":"u8, ref at);
        return _data = new ArraySegment<byte>(_piece, at, length);
    }

    /// <summary>Appends the row begun.</summary>
    public void End()
    {
        JsonText.PutOnOneLine(_data);
        var at = _data.Offset + _data.Count;
        Write("}\n"u8, ref at);
        Rows++;
        Bytes += at - _written;
        _written = at;
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

    /// <summary>What of a piece comes after a transaction; its lines must have been appended in the order of their transactions.</summary>
    public static ReadOnlyMemory<byte> After(ReadOnlyMemory<byte> piece, long transaction)
    {
        while (!piece.IsEmpty && TransactionOf(piece.Span) <= transaction)
            piece = piece[(piece.Span.IndexOf((byte)'\n') + 1)..];
        return piece;
    }

    private static long TransactionOf(ReadOnlySpan<byte> line) =>
        Utf8Parser.TryParse(line["{\"txid\":"u8.Length..], out long transaction, out _) ? transaction : throw new FormatException();

    private void Reserve(int bytes)
    {
        if (_piece.Length - _written >= bytes)
            return;
        if (_written > 0)
            Full.Add(_piece.AsMemory(0, _written));
        (_piece, _written) = (new byte[Math.Max(bytes, PieceBytes)], 0);
    }

    private void Write(ReadOnlySpan<byte> bytes, ref int at)
    {
        bytes.CopyTo(_piece.AsSpan(at));
        at += bytes.Length;
    }

    private void Write(long number, ref int at)
    {
        Utf8Formatter.TryFormat(number, _piece.AsSpan(at), out var length);
        at += length;
    }
}
