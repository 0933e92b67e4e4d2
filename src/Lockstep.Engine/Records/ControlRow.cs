using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Records;

/// <summary>
/// What an object that is no record may be: a heartbeat has exactly the one member, a control row has <c>control</c> true and a
/// <c>type</c>.
/// </summary>
/// <param name="Kind">What it is; <see cref="ParsedKind.Malformed"/> when it is neither.</param>
/// <param name="Cursor">The cursor that it carries, when it does.</param>
/// <param name="IsControl">Whether it is a control row, and not the heartbeat object.</param>
internal readonly record struct ControlRow(ParsedKind Kind, Cursor? Cursor, bool IsControl)
{
    /// <summary>Reads an object that is valid JSON.</summary>
    public static ControlRow Read(ReadOnlySpan<byte> json, JsonReaderOptions options)
    {
        var reader = new Utf8JsonReader(json, options);
        reader.Read();
        var members = 0;
        bool heartbeat = false,
            control = false,
            snapshot = false,
            beat = false,
            typed = false;
        Cursor? cursor = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            members++;
            bool isHeartbeat = reader.ValueTextEquals(WireNames.Heartbeat),
                isControl = reader.ValueTextEquals(WireNames.Control);
            bool isType = reader.ValueTextEquals(WireNames.ControlType),
                isSince = reader.ValueTextEquals(WireNames.Since);
            reader.Read();
            if (isHeartbeat)
                heartbeat = reader.TokenType == JsonTokenType.True;
            if (isControl)
                control = reader.TokenType == JsonTokenType.True;
            if (isType && reader.TokenType == JsonTokenType.String)
            {
                typed = true;
                snapshot = reader.ValueTextEquals(WireNames.SnapshotCompleted);
                beat = reader.ValueTextEquals(WireNames.Heartbeat);
            }

            if (isSince)
                cursor = ReadCursor(ref reader);
            reader.Skip();
        }

        var kind =
            heartbeat && members == 1 ? ParsedKind.Heartbeat
            : !control || !typed ? ParsedKind.Malformed
            : snapshot ? ParsedKind.SnapshotCompleted
            : beat ? ParsedKind.Heartbeat
            : ParsedKind.OtherControl;
        return new ControlRow(kind, cursor, control && typed);
    }

    private static Cursor? ReadCursor(ref Utf8JsonReader reader) =>
        reader.TokenType switch
        {
            JsonTokenType.Number => Records.Cursor.Parse(Encoding.ASCII.GetString(reader.ValueSpan)),
            JsonTokenType.String => Records.Cursor.Parse(reader.GetString()),
            _ => null,
        };
}
