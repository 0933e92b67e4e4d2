using System.Buffers;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Extracts the key from a view's rows, in one canonical form for all values that clients treat as equal. Used by one thread at a time.
/// </summary>
internal sealed class ViewKey(FeedDatabase database)
{
    private readonly ArrayBufferWriter<byte> _members = new();
    private byte[] _plain = [];

    /// <summary>The row's key as a JSON object; valid until the next call.</summary>
    /// <param name="json">The row.</param>
    /// <param name="hasFractions">Whether the key has numbers that can be written in several ways.</param>
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> json, bool hasFractions)
    {
        _members.ResetWrittenCount();
        FeedFilter.WriteMembers(json, database.KeyNames, others: null, _members);
        return hasFractions ? WithoutZeros(_members.WrittenSpan) : _members.WrittenSpan;
    }

    /// <summary>Drops the trailing zeros that a numeric's scale adds: 1.50 and 1.5 are one key.</summary>
    private ReadOnlySpan<byte> WithoutZeros(ReadOnlySpan<byte> json)
    {
        if (_plain.Length < json.Length)
            _plain = new byte[json.Length * 2];
        var length = 0;
        for (var i = 0; i < json.Length; )
        {
            var start = i;
            if (json[i] == '"')
            {
                for (i++; json[i] != '"'; i++)
                {
                    if (json[i] == '\\')
                        i++;
                }

                i++;
            }
            else if (json[i] == '-' || char.IsAsciiDigit((char)json[i]))
            {
                while (json[i] is (byte)'-' or (byte)'+' or (byte)'.' or (byte)'e' or (byte)'E' || char.IsAsciiDigit((char)json[i]))
                    i++;
                var number = json[start..i];
                if (number.Contains((byte)'.') && number.IndexOfAny((byte)'e', (byte)'E') < 0)
                    number = number.TrimEnd((byte)'0').TrimEnd((byte)'.');
                number.CopyTo(_plain.AsSpan(length));
                length += number.Length;
                continue;
            }
            else
            {
                i++;
            }

            json[start..i].CopyTo(_plain.AsSpan(length));
            length += i - start;
        }

        return _plain.AsSpan(0, length);
    }
}
