using System.ComponentModel;
using System.Text;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>
/// Inserts bytes where none belong: into the body, framed like the rest, or (with <see cref="ByteCount.Response"/>) between any two bytes
/// of the response.
/// </summary>
[Description("Inserts bytes where none belong.")]
public sealed class GarbageFault : PositionedFault
{
    /// <summary>What is inserted, in UTF-8. Null: <see cref="Length"/> bytes from a seeded generator.</summary>
    [Description("What is inserted. Default: Length bytes from a seeded generator.")]
    public string? Text { get; init; }

    /// <summary>How many bytes, without <see cref="Text"/>.</summary>
    [Description("How many bytes, without Text. Default: 16.")]
    public int Length { get; init; } = 16;

    /// <summary>Fixes the bytes.</summary>
    [Description("Fixes the bytes that are made.")]
    public int Seed { get; init; }

    internal override string Describe() => $"Insert {(Text is null ? $"{Length} bytes of garbage" : $"'{Text}'")} {Position}";

    internal override void Apply(FaultedResponse response)
    {
        Insert stage = new(this);
        if (Of == ByteCount.Body)
            response.AddToBody(stage);
        else
            response.AddToWire(stage);
    }

    internal override void Validate()
    {
        base.Validate();
        Positive(Length, nameof(Length));
    }

    private byte[] Bytes()
    {
        if (Text is not null)
            return Encoding.UTF8.GetBytes(Text);
        var bytes = new byte[Length];
        new Random(Seed).NextBytes(bytes);
        return bytes;
    }

    private sealed class Insert(GarbageFault fault) : PositionedStage(fault.Position)
    {
        protected override ValueTask ActAsync(CancellationToken cancellationToken) =>
            Next.WriteAsync(new Piece(fault.Bytes(), PieceKind.Other), cancellationToken);
    }
}
