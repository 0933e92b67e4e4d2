using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>What a Kubernetes list says about all its items, and a watch about each: both must yield the same record. Immutable.</summary>
internal sealed class ListType
{
    private ListType(ReadOnlyMemory<byte> members, bool hasVersion) => (Members, HasVersion) = (members, hasVersion);

    /// <summary>The members that the items lack, as JSON.</summary>
    public ReadOnlyMemory<byte> Members { get; }

    /// <summary>Whether <c>apiVersion</c> is one of them.</summary>
    public bool HasVersion { get; }

    /// <summary>Reads it from what surrounds the items, as far as that has arrived; null if that does not contain it.</summary>
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
        if (!kind.EndsWith("List", StringComparison.Ordinal) || kind.Length == 4)
            return null;
        kind = kind[..^4];
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
