using System.Text;

namespace Lockstep;

/// <summary>A malformed part of a feed that was quarantined, as <c>Get-LockstepRecord -Quarantined</c> returns it.</summary>
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

    /// <summary>When it arrived, in local time.</summary>
    public DateTime Time { get; }

    /// <summary>Where it started, in bytes of its response body.</summary>
    public long ByteOffset { get; }

    /// <summary>What is wrong with it.</summary>
    public string Reason { get; }

    /// <summary>Its bytes; if it is above the maximum size, the first of them.</summary>
    public byte[] Bytes { get; }

    /// <summary>Its bytes as text; invalid UTF-8 shows as U+FFFD.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Where it started, and what is wrong with it.</summary>
    public override string ToString() => FormattableString.Invariant($"byte {ByteOffset}: {Reason}");
}
