using System.Globalization;
using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>Reads a dialect's JSON, strictly: anything unknown is an error that names it.</summary>
/// <param name="name">The dialect's name, for errors.</param>
internal sealed class DialectParser(string name)
{
    private static readonly string[] Kinds = ["Snapshot", "Changes", "Live", "Begin"];

    /// <summary>The keys allowed only at the top level.</summary>
    private static readonly string[] TopKeys = ["From", "Description", "Interval", .. Kinds];

    /// <summary>The keys that each kind of request may override.</summary>
    private static readonly string[] RuleKeys =
    [
        "Framing",
        "Items",
        "Record",
        "Children",
        "Key",
        "OrderBy",
        "Deleted",
        "DeletedKey",
        "Skip",
        "Only",
        "Update",
        "Drop",
        "TypedItems",
        "Next",
        "Cursor",
        "CursorType",
        "Ascending",
        "TimeZone",
        "Identity",
        "UpToDate",
        "Heartbeat",
        "Resync",
        "End",
        "Whole",
        "Resume",
        "Atomic",
        "Path",
        "Query",
        "Headers",
        "Body",
        "Timeout",
    ];

    /// <summary>All keys, in their documented spelling.</summary>
    public static IEnumerable<string> Known => TopKeys.Concat(RuleKeys);

    /// <summary>
    /// The headers that a dialect may set: a description is shared, so it must hold no secret and change no address (D5).
    /// </summary>
    private static readonly string[] AllowedHeaders =
    [
        "Accept",
        "Prefer",
        "Last-Event-ID",
        "Accept-Language",
        "X-GitHub-Api-Version",
        "ConsistencyLevel",
    ];

    /// <summary>
    /// Reads the rules of one kind of request: the dialect's own, overridden by those of the kind. Null if the kind has none.
    /// </summary>
    /// <param name="dialect">The whole description.</param>
    /// <param name="kind">The key of the kind.</param>
    public DialectRules? ReadKind(JsonElement dialect, string kind)
    {
        var hasOwn = dialect.TryGetProperty(kind, out var own) && own.ValueKind != JsonValueKind.Null;
        if (!hasOwn && kind != "Snapshot")
            return null;
        var rules = new DialectRules { IsWhole = kind == "Snapshot" };
        rules = Lay(rules, dialect, [.. TopKeys, .. RuleKeys]);
        rules = hasOwn ? Lay(rules, Object(own, kind), RuleKeys) : rules;
        return rules.Children is null ? rules : WithParents(rules);
    }

    /// <summary>
    /// A child's key begins with its parent's: if the dialect does not say how that is called, <c>Key</c> is the key of both.
    /// </summary>
    private DialectRules WithParents(DialectRules rules)
    {
        if (rules.OrderBy is not null || rules.Record is not null)
            throw Wrong($"{(rules.Record is null ? "OrderBy" : "Record")}: children have none");
        var keys = rules.Key.Any(key => key.IsOfItem) ? rules.Key : [.. rules.Key.Select(ParentOf), .. rules.Key];
        var parents = keys.TakeWhile(key => key.IsOfItem).Count();
        if (parents == 0 || parents == keys.Count || keys.Skip(parents).Any(key => key.IsOfItem))
        {
            throw Wrong(
                "Key: with Children, it is the parent's part, then the child's, such as [{ \"groupId\": \"id\" }, \"id\"], or the one "
                    + "field that is the key of both"
            );
        }

        return rules with
        {
            Key = keys,
            ParentParts = parents,
        };
    }

    /// <summary>The field that a child gets with its parent's key: <c>parentId</c> for <c>id</c>.</summary>
    private static KeyRule ParentOf(KeyRule key)
    {
        var name = key.Place.Segments is [.., var last] && last.Length > 0 ? last : "key";
        return new KeyRule($"parent{char.ToUpperInvariant(name[0])}{name[1..]}", key.Place, IsOfItem: true);
    }

    /// <summary>How long to wait between polls.</summary>
    public TimeSpan? ReadInterval(JsonElement dialect) =>
        dialect.TryGetProperty("Interval", out var value) ? Guard("Interval", value, Duration) : null;

    private DialectRules Lay(DialectRules rules, JsonElement json, string[] known)
    {
        foreach (var pair in json.EnumerateObject())
        {
            if (!known.Contains(pair.Name, StringComparer.OrdinalIgnoreCase))
            {
                throw Wrong(
                    TopKeys.Contains(pair.Name, StringComparer.OrdinalIgnoreCase)
                        ? $"'{pair.Name}' is not a dialect key here"
                        : $"'{pair.Name}' is not a dialect key.{Spelling.Suggestion(pair.Name, known)}"
                );
            }

            rules = Guard(pair.Name, pair.Value, value => Set(rules, pair.Name.ToUpperInvariant(), value));
        }

        return rules;
    }

    private static DialectRules Set(DialectRules rules, string key, JsonElement value)
    {
        var isNull = value.ValueKind == JsonValueKind.Null;
        return key switch
        {
            "FRAMING" => rules with { Framing = Enum<DialectFraming>(value) },
            "ITEMS" => rules with { Items = isNull ? null : OfBody(value) },
            "RECORD" => rules with { Record = isNull ? null : OfBody(value) },
            "CHILDREN" => rules with { Children = isNull ? null : OfBody(value) },
            "KEY" => rules with { Key = Keys(value) },
            "ORDERBY" => rules with { OrderBy = isNull ? null : OfBody(value) },
            "DELETED" => rules with { Deleted = ConditionOf(value) },
            "DELETEDKEY" => rules with { DeletedKey = Places(value) },
            "SKIP" => rules with { Skip = ConditionOf(value) },
            "ONLY" => rules with { Only = ConditionOf(value) },
            "UPDATE" => rules with { Merges = Enum<Update>(value) == Update.Merge },
            "DROP" => rules with { Drop = [.. Texts(value).Select(text => new FieldPattern(text))] },
            "TYPEDITEMS" => rules with { TypesItems = Boolean(value) },
            "NEXT" => Next(rules, value),
            "CURSOR" => rules with { Cursor = Places(value) },
            "CURSORTYPE" => rules with { CursorType = Enum<CursorType>(value) },
            "ASCENDING" => rules with { IsAscending = Boolean(value) },
            "TIMEZONE" => rules with { Zone = TimeZoneInfo.FindSystemTimeZoneById(Text(value)) },
            "IDENTITY" => rules with { Identity = Places(value) },
            "UPTODATE" => rules with { UpToDate = ConditionOf(value) },
            "HEARTBEAT" => rules with { Heartbeat = ConditionOf(value) },
            "RESYNC" => rules with { Resync = ConditionOf(value) },
            "END" => rules with { End = ConditionOf(value) },
            "WHOLE" => rules with { IsWhole = Boolean(value), IsWholeSaid = Boolean(value) },
            "RESUME" => rules with { Resumes = Boolean(value) },
            "ATOMIC" => rules with { IsAtomic = Boolean(value) },
            "PATH" => rules with { Path = isNull ? null : Text(value) },
            "QUERY" => rules with { Query = Parameters(value) },
            "HEADERS" => rules with { Headers = AllowedOnly(Parameters(value)) },
            "BODY" => rules with { Body = isNull ? null : BodyOf(value) },
            "TIMEOUT" => rules with { Timeout = Duration(value) },
            _ => rules,
        };
    }

    private static DialectRules Next(DialectRules rules, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return rules with { NextUrl = Places(value), NextParameters = [] };
        var parameters = value.EnumerateObject().Select(pair => (pair.Name, Place.Parse(Text(pair.Value))));
        return rules with { NextUrl = [], NextParameters = [.. parameters] };
    }

    private static IReadOnlyList<KeyRule> Keys(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null => [],
            JsonValueKind.Array => [.. value.EnumerateArray().SelectMany(Keys)],
            JsonValueKind.Object =>
            [
                .. value.EnumerateObject().Select(pair => new KeyRule(pair.Name, Place.Parse(Text(pair.Value)), IsOfItem: true)),
            ],
            _ => [new KeyRule(Text(value), Place.Parse(Text(value)), IsOfItem: false)],
        };

    private static IReadOnlyList<Parameter> Parameters(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new FormatException("it must be an object of names and strings");
        var named = value.EnumerateObject().Where(pair => pair.Value.ValueKind != JsonValueKind.Null);
        return [.. named.Select(pair => new Parameter(pair.Name, new Template(Text(pair.Value))))];
    }

    private static RequestBody BodyOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object ? new RequestBody(value) : throw new FormatException("it must be an object");

    private static IReadOnlyList<Parameter> AllowedOnly(IReadOnlyList<Parameter> headers)
    {
        var other = headers.FirstOrDefault(header => !AllowedHeaders.Contains(header.Name, StringComparer.OrdinalIgnoreCase));
        if (other is not null)
        {
            throw new FormatException(
                $"a dialect may set the headers {string.Join(", ", AllowedHeaders)}, not '{other.Name}'; others go with the request"
            );
        }

        return headers.FirstOrDefault(header => header.Value.Text.Any(char.IsControl)) is { } broken
            ? throw new FormatException($"the value of '{broken.Name}' has a line break or another control character")
            : headers;
    }

    private static IReadOnlyList<Place> Places(JsonElement value) => [.. Texts(value).Select(Place.Parse)];

    private static Place OfBody(JsonElement value)
    {
        var place = Place.Parse(Text(value));
        return place.Kind is PlaceKind.Field or PlaceKind.Pointer && !place.IsOfItems
            ? place
            : throw new FormatException($"'{place}' must be a field name or a JSON Pointer");
    }

    private static IReadOnlyList<string> Texts(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null => [],
            JsonValueKind.Array => [.. value.EnumerateArray().Select(Text)],
            _ => [Text(value)],
        };

    private static string Text(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => throw new FormatException("it must be a string"),
        };

    private static bool Boolean(JsonElement value) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw new FormatException("it must be true or false");

    private static Condition? ConditionOf(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : Condition.Parse(value);

    private static T Enum<T>(JsonElement value)
        where T : struct, Enum =>
        System.Enum.TryParse<T>(Text(value), ignoreCase: true, out var found) && System.Enum.IsDefined(found)
            ? found
            : throw new FormatException($"it must be one of {string.Join(", ", System.Enum.GetNames<T>())}");

    private static TimeSpan Duration(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and < 1e8)
            return TimeSpan.FromSeconds(seconds);
        return TimeSpan.TryParse(Text(value), CultureInfo.InvariantCulture, out var span) && span >= TimeSpan.Zero
            ? span
            : throw new FormatException("it must be seconds, or a time such as '00:05:00'");
    }

    private JsonElement Object(JsonElement value, string key) =>
        value.ValueKind == JsonValueKind.Object ? value : throw Wrong($"{key} must be an object");

    private T Guard<T>(string key, JsonElement value, Func<JsonElement, T> read)
    {
        try
        {
            return read(value);
        }
        catch (Exception e) when (e is FormatException or TimeZoneNotFoundException or InvalidOperationException)
        {
            throw Wrong($"{key}: {e.Message}");
        }
    }

    private DialectFormatException Wrong(string reason) => new(name, reason.TrimEnd('.'));

    private enum Update
    {
        Replace,
        Merge,
    }
}
