using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Postgres.Tables;

/// <summary>
/// A table's state as the JSON text in the directory, with its format. Anything that an earlier Lockstep would lose or misread makes a new
/// format, as in <see cref="TableFormat"/>. A text without a format is of the first.
/// </summary>
internal static class StateJson
{
    public const int Format = 2;

    public static string Write(TableState state)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteNumber("format", Format);
            json.WriteString("feed", state.Feed);
            json.WriteString("feedIdentity", state.FeedIdentity);
            json.WriteString("cursor", state.Cursor.ToString());
            json.WriteString("resume", state.Resume?.ToString());
            json.WriteString("horizon", state.Horizon?.ToString());
            json.WriteString("lastSync", state.LastSync?.ToString("O", CultureInfo.InvariantCulture));
            json.WriteNumber("feedEnding", (int)state.FeedEnding);
            json.WriteString("owed", state.Owed?.ToString());
            if (state.SweepLimit is { } limit)
                json.WriteNumber("sweepLimit", limit);
            json.WriteString("loadPage", state.LoadPage);
            json.WriteString("foreign", state.Foreign);
            json.WriteString("asked", state.Asked);
            if (state.IsImporting)
                json.WriteBoolean("importing", true);
            json.WriteString("incomplete", state.Incomplete?.ToString("O", CultureInfo.InvariantCulture));
            json.WriteNumber("rows", state.Rows);
            json.WriteNumber("tombstones", state.Tombstones);
            json.WriteNumber("sequence", state.Sequence);
            WriteList(json, "fields", state.Fields);
            if (state.Shape is { } shape)
            {
                json.WriteNumber("dialect", (int)shape.Dialect);
                WriteList(json, "keyFields", shape.KeyFields);
                WriteList(json, "keyKinds", shape.KeyParts.Select(kind => kind.ToString()));
                json.WriteNumber("keyLayout", (int)shape.KeyLayout);
                json.WriteString("orderField", shape.OrderField);
                json.WriteNumber("orderKind", (int)shape.OrderKind);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer().AsSpan(0, (int)text.Length));
    }

    /// <exception cref="TableFormatException">A newer Lockstep wrote it.</exception>
    /// <exception cref="TableDamagedException">No Lockstep wrote it.</exception>
    public static TableState Read(string name, string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return Read(name, document.RootElement);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            throw new TableDamagedException($"the table '{name}'", "what is known of it", e);
        }
    }

    private static TableState Read(string name, JsonElement json)
    {
        if (Number("format") is > Format and var format)
            throw new TableFormatException(name, format, Format);
        return new TableState
        {
            Name = name,
            Feed = Text("feed"),
            FeedIdentity = Text("feedIdentity"),
            Cursor = Cursor.Parse(Text("cursor")),
            Resume = Text("resume") is { } resume ? Cursor.Parse(resume) : null,
            Horizon = Text("horizon") is { } horizon ? Cursor.Parse(horizon) : null,
            LastSync = Text("lastSync") is { } at ? DateTimeOffset.Parse(at, CultureInfo.InvariantCulture) : null,
            FeedEnding = (FeedEnding)Number("feedEnding"),
            Owed = OwedSet.Parse(Text("owed")),
            SweepLimit = json.TryGetProperty("sweepLimit", out var sweepLimit) ? sweepLimit.GetInt32() : null,
            LoadPage = Text("loadPage"),
            Foreign = Text("foreign"),
            Asked = Text("asked"),
            IsImporting = json.TryGetProperty("importing", out _),
            Incomplete = Text("incomplete") is { } incomplete ? DateTimeOffset.Parse(incomplete, CultureInfo.InvariantCulture) : null,
            Rows = Number("rows"),
            Tombstones = Number("tombstones"),
            Sequence = Number("sequence"),
            Fields = List("fields"),
            Shape = json.TryGetProperty("keyFields", out _)
                ? new RecordShape(
                    (Dialect)Number("dialect"),
                    List("keyFields"),
                    [.. List("keyKinds").Select(Enum.Parse<KeyPartKind>)],
                    (KeyLayout)Number("keyLayout"),
                    Text("orderField")!,
                    (OrderKind)Number("orderKind")
                )
                : null,
        };

        string? Text(string member) => json.TryGetProperty(member, out var value) ? value.GetString() : null;
        long Number(string member) => json.TryGetProperty(member, out var value) ? value.GetInt64() : 0;
        string[] List(string member) =>
            json.TryGetProperty(member, out var value) ? [.. value.EnumerateArray().Select(item => item.GetString()!)] : [];
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
