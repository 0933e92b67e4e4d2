using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>What a record's value is read for; one value may serve several purposes.</summary>
[Flags]
internal enum ValueRoles : byte
{
    None = 0,
    Key = 1,
    Order = 2,
    DeletedAt = 4,
    Deleted = 8,
    TransactionId = 16,
    Horizon = 32,
}

/// <summary>A value that routes the record, as the template found it.</summary>
/// <param name="Roles">What it is read for.</param>
/// <param name="KeyIndex">Which field of the key it is, if any.</param>
internal readonly record struct RoutingValue(ValueRoles Roles, int KeyIndex);

/// <summary>
/// The bytes that all records of one form have in common, with holes for their values. One program mostly writes a feed's records in one
/// form, so that each differs from the last in its values alone: comparing what lies between them with what lay there before reads a record
/// several times as fast as parsing it token by token, and proves as much. An array is one hole, an object is not. Immutable.
/// </summary>
internal sealed class RecordTemplate
{
    private const int MostHoles = 256;
    private const int MostLiteralBytes = 16 * 1024;

    private readonly byte[] _literals;
    private readonly Hole[] _holes;
    private readonly (int Hole, int Offset) _bodyStart;
    private readonly (int Hole, int Offset) _bodyEnd;

    /// <param name="LiteralStart">Where the bytes before the hole begin among the literals.</param>
    /// <param name="LiteralLength">Which of the routing values it is; -1 if none.</param>
    /// <param name="Routing">How many objects enclose it.</param>
    /// <param name="Depth">How many objects it is in.</param>
    private readonly record struct Hole(int LiteralStart, int LiteralLength, int Routing, int Depth);

    private RecordTemplate(
        byte[] literals,
        Hole[] holes,
        RoutingValue[] routing,
        (int Hole, int Offset) bodyStart,
        (int Hole, int Offset) bodyEnd
    )
    {
        _literals = literals;
        _holes = holes;
        Routing = routing;
        _bodyStart = bodyStart;
        _bodyEnd = bodyEnd;
    }

    /// <summary>The values that route the record, in the order of their occurrence.</summary>
    public RoutingValue[] Routing { get; }

    /// <summary>Takes the form of a record that was found to be valid; null if it is not worth remembering.</summary>
    /// <param name="record">The record, from brace to brace.</param>
    /// <param name="shape">Says which values route it.</param>
    public static RecordTemplate? Of(ReadOnlySpan<byte> record, RecordShape shape)
    {
        var isTransaction = shape.Dialect == Dialect.Transaction;
        var recordDepth = isTransaction ? 2 : 1;
        var reader = new Utf8JsonReader(record, new JsonReaderOptions { MaxDepth = RecordParser.MaximumDepth });
        var literals = new List<byte>();
        var holes = new List<Hole>();
        var routing = new List<RoutingValue>();
        (int Hole, int Offset) bodyStart = (0, 0),
            bodyEnd = default;
        RoutingValue next = default;
        bool isData = false,
            isInData = !isTransaction;
        var literalStart = 0;
        var keys = shape.KeyFields.Select(FieldPath.Names).ToArray();
        var path = new List<string>();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    var depth = reader.CurrentDepth;
                    NotePath(path, ref reader, isInData ? depth - recordDepth : -1);
                    isData = isTransaction && depth == 1 && reader.ValueTextEquals(WireNames.Data);
                    next =
                        isInData && depth >= recordDepth ? RecordRoles(ref reader, shape, isTransaction, path, keys)
                        : isTransaction && depth == 1 ? EnvelopeRoles(ref reader)
                        : default;
                    continue;
                case JsonTokenType.StartObject:
                    if (isData)
                        bodyStart = (holes.Count, (int)reader.TokenStartIndex - literalStart);
                    if (isData && isInData)
                        return null;
                    isInData |= isData;
                    // An object in the place of a value that routes the record.
                    if (next.Roles != ValueRoles.None)
                        return null;
                    isData = false;
                    continue;
                case JsonTokenType.EndObject:
                    if (reader.CurrentDepth != recordDepth - 1 || !isInData)
                        continue;
                    bodyEnd = (holes.Count, (int)reader.BytesConsumed - literalStart);
                    isInData = false;
                    continue;
            }

            var start = (int)reader.TokenStartIndex;
            holes.Add(
                new Hole(literals.Count, start - literalStart, next.Roles == ValueRoles.None ? -1 : routing.Count, reader.CurrentDepth)
            );
            literals.AddRange(record[literalStart..start]);
            if (holes.Count > MostHoles || literals.Count > MostLiteralBytes)
                return null;
            if (next.Roles != ValueRoles.None)
            {
                // If a name occurs twice, the last value counts, by rules not worth repeating here.
                if (routing.Exists(r => (r.Roles & next.Roles) != 0 && r.KeyIndex == next.KeyIndex))
                    return null;
                routing.Add(next);
            }

            if (reader.TokenType == JsonTokenType.StartArray)
                reader.Skip();
            literalStart = (int)reader.BytesConsumed;
            next = default;
        }

        // An array is one hole, so a part of the key inside it would be missing.
        if (routing.Count(value => (value.Roles & ValueRoles.Key) != 0) < keys.Length)
            return null;
        holes.Add(new Hole(literals.Count, record.Length - literalStart, -1, 0));
        literals.AddRange(record[literalStart..]);
        return new RecordTemplate([.. literals], [.. holes], [.. routing], bodyStart, bodyEnd);
    }

    /// <summary>
    /// Reads a record from the start of bytes that may go on after it. False if it does not have this form, or is incomplete.
    /// </summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="found">At least as long as <see cref="Routing"/>; gets the positions of those values.</param>
    /// <param name="length">The record's length.</param>
    /// <param name="body">Where its fields are.</param>
    [MethodImpl(HotCode.Options)]
    public bool TryRead(ReadOnlySpan<byte> bytes, Span<JsonSlice> found, out int length, out (int Start, int Length) body)
    {
        length = 0;
        body = default;
        int at = 0,
            bodyStart = 0,
            bodyEnd = 0;
        var holes = _holes;
        for (var i = 0; i < holes.Length; i++)
        {
            var hole = holes[i];
            if (
                bytes.Length - at < hole.LiteralLength
                || !bytes.Slice(at, hole.LiteralLength).SequenceEqual(_literals.AsSpan(hole.LiteralStart, hole.LiteralLength))
            )
            {
                return false;
            }

            if (i == _bodyStart.Hole)
                bodyStart = at + _bodyStart.Offset;
            if (i == _bodyEnd.Hole)
                bodyEnd = at + _bodyEnd.Offset;
            at += hole.LiteralLength;
            if (i == holes.Length - 1)
                break;

            var start = at;
            if (!TrySkipPlain(bytes, ref at, out var kind))
            {
                at = start;
                var scan = new JsonScanner(bytes[start..], RecordParser.MaximumDepth - hole.Depth);
                if (!scan.ReadValue(out var value))
                    return false;
                // White space before a value lies between the holes; a value that begins with some has another form.
                if (value.Start > (value.Kind == JsonKind.String ? 1 : 0))
                    return false;
                at += scan.Position;
                if (hole.Routing >= 0)
                    found[hole.Routing] = value with { Start = value.Start + start };
            }
            else if (hole.Routing >= 0)
            {
                found[hole.Routing] =
                    kind == JsonKind.String
                        ? new JsonSlice(kind, start + 1, at - start - 2, false)
                        : new JsonSlice(kind, start, at - start, false);
            }
        }

        length = at;
        body = (bodyStart, bodyEnd - bodyStart);
        return true;
    }

    /// <summary>
    /// Skips the most frequent values: strings without escapes, integers and null. False for all others, including invalid ones.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TrySkipPlain(ReadOnlySpan<byte> bytes, ref int at, out JsonKind kind)
    {
        kind = JsonKind.None;
        if (at >= bytes.Length)
            return false;
        var first = bytes[at];
        if (first == (byte)'"')
        {
            kind = JsonKind.String;
            var end = JsonLexer.PlainStringEnd(bytes, at + 1);
            at = end + 1;
            return end >= 0;
        }

        if (first == (byte)'n')
        {
            kind = JsonKind.Null;
            var isNull = bytes[at..].StartsWith("null"u8);
            at += 4;
            return isNull;
        }

        kind = JsonKind.Number;
        if ((uint)(first - '1') > 8)
            return false;
        do at++;
        while (at < bytes.Length && (uint)(bytes[at] - '0') <= 9);
        // The next literal must follow; a fraction or an exponent is not plain, and at the very end the number may go on.
        return at < bytes.Length && (bytes[at] | 0x20) != 'e' && bytes[at] != (byte)'.';
    }

    /// <summary>Keeps the names that lead to the member that the reader stands at.</summary>
    /// <param name="path">The names so far.</param>
    /// <param name="reader">Stands at a member's name.</param>
    /// <param name="depth">How deep in the record's own fields that is; below 0 for what is beside them.</param>
    private static void NotePath(List<string> path, ref Utf8JsonReader reader, int depth)
    {
        if (depth < 0)
            return;
        path.RemoveRange(depth, path.Count - depth);
        path.Add(reader.GetString()!);
    }

    private static RoutingValue RecordRoles(
        ref Utf8JsonReader reader,
        RecordShape shape,
        bool isTransaction,
        List<string> path,
        IReadOnlyList<string>[] keys
    )
    {
        var roles = ValueRoles.None;
        var keyIndex = 0;
        for (var i = 0; i < keys.Length; i++)
        {
            if (!path.SequenceEqual(keys[i]))
                continue;
            roles |= ValueRoles.Key;
            keyIndex = i;
        }

        if (!isTransaction && path.Count == 1 && reader.ValueTextEquals(shape.OrderField))
            roles |= ValueRoles.Order;
        if (!isTransaction && path.Count == 1 && reader.ValueTextEquals(WireNames.DeletedAt))
            roles |= ValueRoles.DeletedAt;
        return new RoutingValue(roles, keyIndex);
    }

    private static RoutingValue EnvelopeRoles(ref Utf8JsonReader reader) =>
        new(
            reader.ValueTextEquals(WireNames.TransactionId) ? ValueRoles.TransactionId
                : reader.ValueTextEquals(WireNames.Since) ? ValueRoles.Order
                : reader.ValueTextEquals(WireNames.Deleted) ? ValueRoles.Deleted
                : reader.ValueTextEquals(WireNames.Horizon) ? ValueRoles.Horizon
                : ValueRoles.None,
            0
        );
}
