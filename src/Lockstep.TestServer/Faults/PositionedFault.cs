using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// A fault that strikes at one position of a response. Without a position it strikes before the first byte of the body; a response that
/// never gets there is unaffected.
/// </summary>
public abstract class PositionedFault : Fault
{
    private protected PositionedFault() { }

    /// <summary>After this many bytes; see <see cref="Of"/>.</summary>
    [Description("Strikes after this many bytes (see Of).")]
    public long? AtByte { get; init; }

    /// <summary>After this many records, whatever has become of them by then.</summary>
    [Description("Strikes after this many records.")]
    public int? AtRecord { get; init; }

    /// <summary>When the body has been sent and only its end marker is missing.</summary>
    [Description("Strikes when the body is out and only what marks its end is missing.")]
    public bool AtEnd { get; init; }

    /// <summary>What <see cref="AtByte"/> counts.</summary>
    [Description("What AtByte counts: the bytes of the body without its framing, or all bytes of the response from the status line on.")]
    public ByteCount Of { get; init; }

    internal Position Position => new(AtByte, AtRecord, AtEnd, Of);

    internal override void Validate()
    {
        base.Validate();
        if ((AtByte is null ? 0 : 1) + (AtRecord is null ? 0 : 1) + (AtEnd ? 1 : 0) > 1)
            throw new ArgumentException("Give only one of AtByte, AtRecord and AtEnd.");
        if (AtByte < 0 || AtRecord < 0)
            throw new ArgumentException("A position must not be negative.");
        if (Of == ByteCount.Response && AtByte is null)
            throw new ArgumentException("Of Response needs AtByte.");
    }
}
