using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>A record of a source, with the version at which each of its fields was last set.</summary>
internal sealed class SoakRecord
{
    /// <summary>The version at which it was last created.</summary>
    public required long Born { get; init; }

    public long Version { get; set; }

    /// <summary>Each field's JSON and the version that set it.</summary>
    public SortedDictionary<string, (string Json, long At)> Fields { get; } = new(StringComparer.Ordinal);

    /// <summary>The fields that were set after a version, as the inside of a JSON object.</summary>
    public string Since(long version)
    {
        var text = new StringBuilder();
        foreach (var (name, (json, at)) in Fields)
        {
            if (at > version)
                text.Append(CultureInfo.InvariantCulture, $",\"{name}\":{json}");
        }

        return text.ToString();
    }
}

/// <summary>One change of a source.</summary>
internal sealed record SoakChange(long Version, string Key, bool IsGone);

/// <summary>The data of a soak server: records that change at random, and the log of the changes. Not thread-safe.</summary>
internal sealed class SoakSource(Random random, int keys = 30)
{
    private static readonly string[] Values =
    [
        "1.50",
        "2",
        "\"ä \\u00e4 \\\"\"",
        "null",
        "{\"x\":[1, 2.0]}",
        "true",
        "\"\"",
        "1e3",
        "-0.5",
    ];

    public long Version { get; private set; }

    public SortedDictionary<string, SoakRecord> Live { get; } = new(StringComparer.Ordinal);

    /// <summary>The version of each key's last deletion.</summary>
    public Dictionary<string, long> Died { get; } = [];

    public List<SoakChange> Log { get; } = [];

    /// <summary>Called with each change after it happened.</summary>
    public Action<SoakChange>? Changed { get; set; }

    /// <summary>Whether records may be deleted.</summary>
    public bool Deletes { get; set; } = true;

    /// <summary>Adds, changes, deletes and recreates some records.</summary>
    public void Change(int most)
    {
        for (var count = random.Next(most + 1); count > 0; count--)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"k{random.Next(keys):00}");
            // A source that shrinks by more than half at once has its own test (D4).
            if (Deletes && Live.Count > 8 && Live.ContainsKey(key) && random.Next(4) == 0)
                Delete(key);
            else
                Set(key);
        }
    }

    public void Set(string key)
    {
        Version++;
        var isNew = !Live.TryGetValue(key, out var record);
        if (isNew)
            Live[key] = record = new SoakRecord { Born = Version };
        record!.Version = Version;
        record.Fields["n"] = (Version.ToString(CultureInfo.InvariantCulture), Version);
        for (var field = 0; field < 4; field++)
        {
            if (isNew || random.Next(3) == 0)
                record.Fields[$"f{field}"] = (Values[random.Next(Values.Length)], Version);
        }

        Tell(new SoakChange(Version, key, IsGone: false));
    }

    public void Delete(string key)
    {
        Version++;
        Live.Remove(key);
        Died[key] = Version;
        Tell(new SoakChange(Version, key, IsGone: true));
    }

    /// <summary>All of it is gone, and no change says so.</summary>
    public void Forget()
    {
        Live.Clear();
        Died.Clear();
        Log.Clear();
    }

    private void Tell(SoakChange change)
    {
        Log.Add(change);
        Changed?.Invoke(change);
    }

    /// <summary>A record in full.</summary>
    public static string Json(string key, SoakRecord record, string name = "id") => $"{{\"{name}\":\"{key}\"{record.Since(0)}}}";
}
