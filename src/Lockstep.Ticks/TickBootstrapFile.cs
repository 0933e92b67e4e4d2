using System.Text.Json;
using Lockstep.Engine.Tables;

namespace Lockstep.Ticks;

/// <summary>
/// The schedules that a process last knew, so that it can start while the store is down. One file belongs to one program.
/// </summary>
internal sealed class TickBootstrapFile(string path)
{
    private const int Format = 1;
    private readonly string _path = System.IO.Path.GetFullPath(path);

    public string Path => _path;

    /// <summary>Replaces the file as a whole: after a crash, or for a reader, it is either the old one or the new one.</summary>
    public void Save(TickStoreStamp stamp, IEnumerable<KeyValuePair<string, TickSchedule>> schedules)
    {
        using var file = new UnfinishedFile(_path);
        Write(file.Stream, stamp, schedules);
        file.Complete();
    }

    private static void Write(Stream stream, TickStoreStamp stamp, IEnumerable<KeyValuePair<string, TickSchedule>> schedules)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteNumber("format", Format);
        if (stamp.Identity is { } identity)
        {
            json.WriteStartObject("store");
            json.WriteString("identity", identity);
            json.WriteNumber("version", stamp.Version);
            if (stamp.Mark.Length > 0)
                json.WriteString("mark", stamp.Mark);
            json.WriteEndObject();
        }

        json.WriteStartObject("variables");
        foreach (var (name, schedule) in schedules)
            Write(json, name, schedule);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The file's contents, and the store they are from; empty if there is no file.</summary>
    /// <exception cref="JsonException">It is not a bootstrap file.</exception>
    public TickBootstrap Load()
    {
        if (!File.Exists(_path))
            return TickBootstrap.Empty;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(_path));
            var root = document.RootElement;
            if (root.GetProperty("format").GetInt32() != Format)
                throw new JsonException("The bootstrap file has another format.");
            var stamp = root.TryGetProperty("store", out var store)
                ? new TickStoreStamp(
                    store.GetProperty("identity").GetString(),
                    store.GetProperty("version").GetInt64(),
                    store.TryGetProperty("mark", out var mark) ? mark.GetString() : null
                )
                : TickStoreStamp.Unknown;
            return new TickBootstrap(
                stamp,
                root.GetProperty("variables")
                    .EnumerateObject()
                    .ToDictionary(variable => variable.Name, variable => Read(variable.Value), StringComparer.Ordinal)
            );
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new JsonException("The bootstrap file is damaged: " + e.Message, e);
        }
    }

    private static void Write(Utf8JsonWriter json, string name, TickSchedule schedule)
    {
        json.WriteStartObject(name);
        json.WriteNumber("defaultTickMs", (long)schedule.DefaultTick.TotalMilliseconds);
        json.WriteStartArray("tuples");
        foreach (var tuple in schedule.Tuples)
        {
            json.WriteStartObject();
            json.WriteString("activeAt", tuple.ActiveAt);
            json.WriteNumber("tickMs", (long)tuple.Tick.TotalMilliseconds);
            json.WritePropertyName("value");
            json.WriteRawValue(tuple.Json);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static TickSchedule Read(JsonElement variable) =>
        new(
            TimeSpan.FromMilliseconds(variable.GetProperty("defaultTickMs").GetInt64()),
            variable
                .GetProperty("tuples")
                .EnumerateArray()
                .Select(tuple => new TickTuple(
                    tuple.GetProperty("activeAt").GetDateTimeOffset(),
                    tuple.GetProperty("value").GetRawText(),
                    TimeSpan.FromMilliseconds(tuple.GetProperty("tickMs").GetInt64())
                ))
        );
}

/// <summary>A process's last known state.</summary>
/// <param name="Stamp">The store it came from.</param>
/// <param name="Schedules">The schedules by variable.</param>
internal sealed record TickBootstrap(TickStoreStamp Stamp, IReadOnlyDictionary<string, TickSchedule> Schedules)
{
    public static TickBootstrap Empty { get; } = new(TickStoreStamp.Unknown, new Dictionary<string, TickSchedule>());
}
