using System.Buffers;
using System.Buffers.Text;

namespace Lockstep.Engine.Serving;

/// <summary>
/// Records of a table as lines of the transaction dialect, with where each begins. The table's own sequence number stands for the
/// transaction. Filled by one thread, then never written again.
/// </summary>
internal sealed class SequencedLines
{
    private readonly ArrayBufferWriter<byte> _lines = new();
    private readonly List<(long Sequence, int Start)> _rows = [];

    public int Rows => _rows.Count;

    public int Bytes => _lines.WrittenCount;

    public ReadOnlyMemory<byte> All => _lines.WrittenMemory;

    /// <summary>The last line's sequence number; there must be one.</summary>
    public long Last => _rows[^1].Sequence;

    /// <summary>Appends a record.</summary>
    /// <param name="sequence">The table's number of its last change.</param>
    /// <param name="horizon">The most that its <c>since</c> may be.</param>
    /// <param name="isDeleted">Whether it is a tombstone.</param>
    /// <param name="json">The record's JSON object.</param>
    public void Append(long sequence, long horizon, bool isDeleted, ReadOnlySpan<byte> json)
    {
        _rows.Add((sequence, _lines.WrittenCount));
        _lines.Write("{\"txid\":"u8);
        Write(sequence);
        _lines.Write(",\"current_xmin\":"u8);
        Write(horizon);
        _lines.Write(",\"since\":"u8);
        Write(Math.Min(sequence, horizon));
        _lines.Write(isDeleted ? ",\"deleted\":true,\"data\":"u8 : ",\"deleted\":false,\"data\":"u8);

        // The table keeps a record as its feed wrote it; line breaks are white space there, since inside a string they are escaped.
        var data = _lines.GetSpan(json.Length)[..json.Length];
        json.CopyTo(data);
        data.Replace((byte)'\n', (byte)' ');
        data.Replace((byte)'\r', (byte)' ');
        _lines.Advance(json.Length);
        _lines.Write("}\n"u8);
    }

    /// <summary>The lines after a sequence number. They must have been appended in the order of their numbers.</summary>
    public ReadOnlyMemory<byte> After(long sequence)
    {
        int low = 0,
            high = _rows.Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_rows[middle].Sequence > sequence)
                high = middle;
            else
                low = middle + 1;
        }

        return low == _rows.Count ? default : All[_rows[low].Start..];
    }

    private void Write(long number)
    {
        Utf8Formatter.TryFormat(number, _lines.GetSpan(20), out var length);
        _lines.Advance(length);
    }
}
