using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Lockstep.Ticks;

/// <summary>
/// For which share of all keys (users, machines, requests) something is on. Every process gives the same answer for the same key, and an
/// included key stays included while the percentage rises. A key's position is the first 8 bytes, as an unsigned big-endian number, of the
/// SHA-256 of <c>variable:key</c> in UTF-8; the key is included if that is less than the percentage's share of 2 to the power of 64. Two
/// variables place the same key independently of each other.
/// </summary>
/// <param name="Variable">The variable whose value this is.</param>
/// <param name="Percent">From 0, no key, to 100, every key.</param>
public sealed record TickPercentage(string Variable, decimal Percent)
{
    private const decimal Places = 18446744073709551616m;
    private const int MostBytesOnStack = 256;

    /// <summary>Whether a key is included. Takes no lock and does no I/O.</summary>
    /// <param name="key">The key; compared ordinally.</param>
    public bool Includes(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return Percent >= 100 || (Percent > 0 && PlaceOf(key) < Percent / 100 * Places);
    }

    /// <summary>
    /// A key's position among all keys of the variable, as the percentage above which it is included: from 0 to below 100.
    /// </summary>
    /// <param name="key">The key; compared ordinally.</param>
    public decimal PositionOf(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return decimal.Round(PlaceOf(key) / Places * 100, 6, MidpointRounding.ToZero);
    }

    /// <summary>Parses a variable's value: a number from 0 to 100; true is 100, false and null are 0.</summary>
    /// <param name="variable">The variable.</param>
    /// <param name="json">Its value; null while none is active.</param>
    /// <exception cref="JsonException">The value is anything else.</exception>
    public static TickPercentage Parse(string variable, string? json)
    {
        var value = JsonElement.Parse(json ?? "null");
        var percent = value.ValueKind switch
        {
            JsonValueKind.True => 100,
            JsonValueKind.False or JsonValueKind.Null => 0,
            JsonValueKind.Number when value.TryGetDecimal(out var number) => number,
            _ => -1,
        };
        return percent is >= 0 and <= 100
            ? new TickPercentage(variable, percent)
            : throw new JsonException($"The value of '{variable}' is not a percentage: a number from 0 to 100, true or false.");
    }

    private ulong PlaceOf(string key)
    {
        var most = Encoding.UTF8.GetMaxByteCount(Variable.Length + 1 + key.Length);
        var text = most <= MostBytesOnStack ? stackalloc byte[MostBytesOnStack] : new byte[most];
        var length = Encoding.UTF8.GetBytes(Variable, text);
        text[length++] = (byte)':';
        length += Encoding.UTF8.GetBytes(key, text[length..]);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..length], hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash);
    }
}
