using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// What a list of Kubernetes says of its items, which a watch says of each: the two must be the same record. Immutable.
/// </summary>
internal sealed class ListType
{
    private ListType(ReadOnlyMemory<byte> members, bool hasVersion) => (Members, HasVersion) = (members, hasVersion);

    /// <summary>The members that items lack, as they stand in JSON.</summary>
    public ReadOnlyMemory<byte> Members { get; }

    /// <summary>Whether <c>apiVersion</c> is one of them.</summary>
    public bool HasVersion { get; }

    /// <summary>Reads it from what is around the items, as far as that has come; null where that does not say it.</summary>
    public static ListType? Of(JsonElement list)
    {
        if (
            list.ValueKind != JsonValueKind.Object
            || !list.TryGetProperty("kind", out var found)
            || found.ValueKind != JsonValueKind.String
        )
        {
            return null;
        }

        var kind = found.GetString()!;
        if (kind.EndsWith("List", StringComparison.Ordinal))
            kind = kind[..^4];
        if (kind.Length == 0)
            return null;
        var bytes = new ArrayBufferWriter<byte>();
        bytes.Write("\"kind\":"u8);
        bytes.Write(JsonSerializer.SerializeToUtf8Bytes(kind, EngineJson.Default.String));
        var hasVersion = list.TryGetProperty("apiVersion", out var version);
        if (hasVersion)
        {
            bytes.Write(",\"apiVersion\":"u8);
            bytes.Write(JsonMarshal.GetRawUtf8Value(version));
        }

        return new ListType(bytes.WrittenMemory, hasVersion);
    }
}
