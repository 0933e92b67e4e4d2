using System.Buffers;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.TestServer.Responses;

/// <summary>The control rows of the transaction dialect.</summary>
internal static class ControlLine
{
    public const string SnapshotCompleted = "snapshot_completed";
    public const string Heartbeat = "heartbeat";

    /// <param name="type">One of the constants.</param>
    /// <param name="now">Becomes <c>timestamp</c>, in whole seconds since 1970.</param>
    /// <param name="horizon">Becomes <c>since</c>, when it is a number: no row below it is still to come.</param>
    /// <param name="separator">What stands after it.</param>
    public static byte[] Make(string type, DateTimeOffset now, OrderValue horizon, ReadOnlySpan<byte> separator)
    {
        ArrayBufferWriter<byte> line = new(96);
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("control"u8, true);
            writer.WriteString("type"u8, type);
            writer.WriteNumber("timestamp"u8, now.ToUnixTimeSeconds());
            if (horizon.Kind == OrderKind.Number)
            {
                writer.WritePropertyName("since"u8);
                writer.WriteRawValue(horizon.ToString());
            }
            writer.WriteEndObject();
        }
        line.Write(separator);
        return line.WrittenSpan.ToArray();
    }
}
