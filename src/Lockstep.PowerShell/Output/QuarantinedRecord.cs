using System.Text;

namespace Lockstep;

/// <summary>A malformed stretch of a feed that was set aside, as <c>Get-LockstepRecord -Quarantined</c> returns it.</summary>
public sealed class QuarantinedRecord
{
    internal QuarantinedRecord(string table, DateTime time, long byteOffset, string reason, byte[] bytes)
    {
        Table = table;
        Time = time;
        ByteOffset = byteOffset;
        Reason = reason;
        Bytes = bytes;
    }

    /// <summary>The table's name.</summary>
    public string Table { get; }

    /// <summary>When it came, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>Where it began, in bytes of the body it came with.</summary>
    public long ByteOffset { get; }

    /// <summary>What is wrong with it.</summary>
    public string Reason { get; }

    /// <summary>Its bytes; of one above the maximum size, the first.</summary>
    public byte[] Bytes { get; }

    /// <summary>Its bytes as text; what is no UTF-8 shows as U+FFFD.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Where it began, and what is wrong with it.</summary>
    public override string ToString() => FormattableString.Invariant($"byte {ByteOffset}: {Reason}");
}
