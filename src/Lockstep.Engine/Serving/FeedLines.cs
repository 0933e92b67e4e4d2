using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// Turns rows into lines of the transaction dialect, in pieces of about <see cref="PieceBytes"/> that are never written again once taken. A
/// row's JSON is copied once. For a row that no client could accept, only the key goes out, as deleted, and a control row that says why: a
/// client that kept the previous version would take it for the newest. Used by one thread at a time.
/// </summary>
/// <param name="limits">Which rows clients can accept.</param>
/// <param name="key">The members of <c>data</c> that are the key, known by the time a row is appended; empty for the first one.</param>
internal sealed class FeedLines(RowLimits limits, Func<IReadOnlyList<string>> key)
{
    /// <summary>The longest key that a control row names, in bytes.</summary>
    private const int LongestKey = 4096;

    /// <summary>Below the size at which arrays go to the large object heap.</summary>
    public const int PieceBytes = 64 * 1024;

    private const int EnvelopeBytes = 160;
    private byte[] _piece = [];
    private int _written;
    private ArraySegment<byte> _data;
    private (long Transaction, long Horizon) _row;
    private bool _isDeleted;

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
        if (limits.IsTooLarge(json))
        {
            // Not copied: it may take as much as the system has.
            (_row, _isDeleted) = ((transaction, horizon), isDeleted);
            LeaveOut(limits.WhatIsWrong(json.Length, json)!, json);
            return;
        }

        json.CopyTo(Begin(transaction, horizon, isDeleted, json.Length));
        End();
    }

    /// <summary>
    /// Begins a row whose JSON the caller writes to the returned place. <see cref="End"/> appends it; without that, the next one takes its
    /// place.
    /// </summary>
    /// <param name="transaction">As in <see cref="Append"/>.</param>
    /// <param name="horizon">Likewise.</param>
    /// <param name="isDeleted">Likewise.</param>
    /// <param name="length">Of the JSON, in bytes.</param>
    public ArraySegment<byte> Begin(long transaction, long horizon, bool isDeleted, int length)
    {
        Reserve(length + EnvelopeBytes);
        (_row, _isDeleted) = ((transaction, horizon), isDeleted);
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
        if (WhatIsWrong() is { } reason)
            LeaveOut(reason, _data);
        else
            Close();
    }

    /// <summary>
    /// Leaves out the row begun including its key, which no client can have: only a control row reports it. A deleted one is not reported.
    /// </summary>
    /// <param name="reason">What is wrong with its key, as a sentence in plain ASCII without quotes.</param>
    public void LeaveOutWithKey(string reason)
    {
        Rows++;
        if (!_isDeleted)
            Tell(KeyOf(_data), reason);
    }

    /// <summary>What is wrong with the row begun, given the length of its line without the line feed.</summary>
    private string? WhatIsWrong() => limits.WhatIsWrong(_data.Offset + _data.Count + 1 - _written, _data);

    private void Close()
    {
        JsonText.PutOnOneLine(_data);
        var at = _data.Offset + _data.Count;
        Write("}\n"u8, ref at);
        Rows++;
        Bytes += at - _written;
        _written = at;
    }

    /// <summary>Appends the key of a row, as deleted, and a control row, instead of the row.</summary>
    private void LeaveOut(string reason, ReadOnlySpan<byte> data)
    {
        var name = KeyOf(data);
        name.CopyTo(Begin(_row.Transaction, _row.Horizon, isDeleted: true, name.Length).AsSpan());
        if (WhatIsWrong() is null)
            Close();
        else
            Rows++; // Whoever reads a page goes by how many rows it took.
        Tell(name, reason);
    }

    /// <summary>The members of a row that are its key, as an object on one line; empty if the row is not JSON.</summary>
    private byte[] KeyOf(ReadOnlySpan<byte> data)
    {
        if (!limits.IsReadable(data))
            return [];
        var written = new ArrayBufferWriter<byte>();
        FeedFilter.WriteMembers(data, key(), others: null, written);
        var name = written.WrittenSpan.ToArray();
        JsonText.PutOnOneLine(name);
        return name;
    }

    /// <summary>Reports that the row begun is left out: to clients with a control row, and to the operator.</summary>
    private void Tell(byte[] name, string reason)
    {
        var transaction = _row.Transaction;
        var told = name.Length is > 0 and <= LongestKey ? Encoding.UTF8.GetString(name) : "null";
        limits.Tell(told, transaction, reason);
        var control = Encoding.UTF8.GetBytes(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{{\"control\":true,\"txid\":{transaction},\"type\":\"row_left_out\",\"key\":{told},\"reason\":\"{reason}\"}}\n"
            )
        );
        Reserve(control.Length);
        Write(control, ref _written);
        Bytes += control.Length;
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

    /// <summary>The part of a piece after a transaction; its lines must have been appended in the order of their transactions.</summary>
    public static ReadOnlyMemory<byte> After(ReadOnlyMemory<byte> piece, long transaction)
    {
        while (!piece.IsEmpty && TransactionOf(piece.Span) <= transaction)
            piece = piece[(piece.Span.IndexOf((byte)'\n') + 1)..];
        return piece;
    }

    private static long TransactionOf(ReadOnlySpan<byte> line)
    {
        var before = IsControl(line) ? "{\"control\":true,\"txid\":"u8.Length : "{\"txid\":"u8.Length;
        return Utf8Parser.TryParse(line[before..], out long transaction, out _) ? transaction : throw new FormatException();
    }

    /// <summary>Whether a line among the rows is not a row, but says something about one.</summary>
    public static bool IsControl(ReadOnlySpan<byte> line) => line.StartsWith("{\"control\":"u8);

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
