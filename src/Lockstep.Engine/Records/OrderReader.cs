using System.Buffers;
using System.Runtime.CompilerServices;

namespace Lockstep.Engine.Records;

/// <summary>
/// Reads the order value of one record after another (I3), without an object for each: a 64-bit number as such, any other number and a
/// string as their bytes. One thread at a time.
/// </summary>
internal sealed class OrderReader
{
    private readonly ArrayBufferWriter<byte> _text = new();

    /// <summary>The value's type; <see cref="OrderKind.Unknown"/> while there is none that can order records.</summary>
    public OrderKind Kind { get; private set; }

    /// <summary>The value if it is a 64-bit number.</summary>
    public long Integer { get; private set; }

    /// <summary>Whether <see cref="Text"/> holds the value.</summary>
    public bool IsText { get; private set; }

    /// <summary>The value's text otherwise: a number's as it was sent, or a string's without escapes.</summary>
    public ReadOnlySpan<byte> Text => IsText ? _text.WrittenSpan : default;

    /// <summary>Forgets the value that was read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Clear()
    {
        Kind = OrderKind.Unknown;
        IsText = false;
        Integer = 0;
    }

    /// <summary>Reads the order field's value. If a name occurs twice, the last value counts.</summary>
    public void Read(JsonSlice value, ReadOnlySpan<byte> json)
    {
        IsText = false;
        var text = value.Of(json);
        switch (value.Kind)
        {
            case JsonKind.Number:
                Kind = OrderKind.Number;
                if (DecimalText.TryGetInt64(text, out var integer))
                    Integer = integer;
                else
                    Keep(text);
                return;
            case JsonKind.String:
                Kind = OrderKind.Text;
                Keep(value.IsEscaped ? KeyPart.Unescape(value, json) : text);
                return;
            default:
                Kind = OrderKind.Unknown;
                return;
        }
    }

    /// <summary>Takes the value that follows from a row's transaction, if the row itself names none.</summary>
    /// <param name="transaction">The row's transaction.</param>
    /// <param name="horizon">The oldest transaction that was open when the row was read, if known.</param>
    public void Derive(long transaction, long? horizon)
    {
        if (Kind != OrderKind.Unknown)
            return;
        Kind = OrderKind.Number;
        Integer = Math.Min(transaction, horizon ?? transaction);
    }

    private void Keep(ReadOnlySpan<byte> text)
    {
        IsText = true;
        _text.ResetWrittenCount();
        _text.Write(text);
    }
}
