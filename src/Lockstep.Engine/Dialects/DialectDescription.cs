using System.Buffers;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// How another server's feed is read, as data: what is requested, how the answer is framed, where its items are, how it continues, and
/// which signs it gives. Immutable; holds no secret.
/// </summary>
public sealed class DialectDescription
{
    /// <summary>The maximum length of a description in characters, and of its file in bytes.</summary>
    public const int MaximumLength = 1 << 20;

    /// <summary>How the names of lists of changes end in OData.</summary>
    internal const string DeltaSuffix = "@delta";

    private static readonly TimeSpan DefaultInterval = TimeSpan.FromMinutes(5);

    private DialectDescription(string name, string json)
    {
        Name = name;
        Json = json;
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        var parser = new DialectParser(name);
        Snapshot = parser.ReadKind(root, "Snapshot")!;
        Changes = parser.ReadKind(root, "Changes");
        Live = parser.ReadKind(root, "Live");
        Begin = parser.ReadKind(root, "Begin");
        Interval = parser.ReadInterval(root) ?? DefaultInterval;
        // If there is a cursor and nothing says how it is sent, it is the URL to request, or goes where the other parameters go.
        if (Changes is null && Live is null && Snapshot is { Cursor.Count: > 0, Framing: not DialectFraming.EventStream })
            Changes = Snapshot with { IsWhole = false };
        if (Changes is { Cursor.Count: 0 })
            throw new DialectFormatException(name, "it has Changes, but no Cursor for them to resume from");
        if (Snapshot is { HasMaximumCursor: true, CursorType: CursorType.Text })
            throw new DialectFormatException(name, "CursorType: the largest value must be a time or a number");
    }

    /// <summary>The dialect's name: that of a built-in one, or of the source it was read from.</summary>
    public string Name { get; }

    /// <summary>The complete description as one JSON object, including what it inherited from another dialect.</summary>
    public string Json { get; }

    /// <summary>How long to wait between polls, unless the server says otherwise.</summary>
    public TimeSpan Interval { get; }

    internal DialectRules Snapshot { get; }

    internal DialectRules? Changes { get; }

    internal DialectRules? Live { get; }

    /// <summary>The request before a round, for the feed's identity or its first cursor.</summary>
    internal DialectRules? Begin { get; }

    /// <summary>Whether it is a plain list, whose server reports a deletion only by leaving the record out.</summary>
    internal bool IsList => Snapshot.IsWhole && (Snapshot.Cursor.Count == 0 || Snapshot.HasMaximumCursor);

    /// <summary>Whether some items have only the changed fields of a record.</summary>
    internal bool Merges => Snapshot.Merges || Changes?.Merges == true || Live?.Merges == true;

    /// <summary>Whether the cursor is sent as a parameter; otherwise it is the URL to request.</summary>
    internal bool CursorIsParameter => (Changes ?? Live) is not { } rules || rules.CursorIsParameter;

    /// <summary>The rules of a kind of request; those of the snapshot if the kind has none of its own.</summary>
    internal DialectRules For(RequestKind kind) =>
        kind switch
        {
            RequestKind.Changes => Changes ?? Snapshot,
            RequestKind.Live => Live ?? Changes ?? Snapshot,
            _ => Snapshot,
        };

    /// <summary>Reads a description.</summary>
    /// <param name="json">One JSON object with the keys of <c>docs/DIALECTS.md</c>; comments are allowed.</param>
    /// <param name="name">What to call it, in messages and in the table.</param>
    /// <exception cref="DialectFormatException">It is not a dialect's description; the message names what is wrong.</exception>
    public static DialectDescription Parse(string json, string name)
    {
        var description = Stored(json, name);
        using var document = JsonDocument.Parse(description.Json);
        DialectSecrets.Refuse(document.RootElement, name);
        return description;
    }

    /// <summary>Reads a description that was stored with a table, perhaps by a Lockstep that accepted more.</summary>
    internal static DialectDescription Stored(string json, string name)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (json.Length > MaximumLength)
            throw new DialectFormatException(name, $"it is longer than {MaximumLength} characters");
        try
        {
            return Read(json, name);
        }
        catch (InvalidOperationException)
        {
            throw new DialectFormatException(name, "a text in it is not valid Unicode");
        }
    }

    private static DialectDescription Read(string json, string name)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(
                json,
                new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true }
            );
        }
        catch (JsonException e)
        {
            throw new DialectFormatException(name, "it is not JSON: " + e.Message.TrimEnd('.'));
        }

        using (document)
        {
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new DialectFormatException(name, "it is not a JSON object");
            var from = Member(root, "From") is { ValueKind: JsonValueKind.String } text ? text.GetString()! : null;
            var under = from is null ? null : BuiltInDialects.Find(from)?.Json;
            if (from is not null && under is null)
            {
                throw new DialectFormatException(
                    name,
                    $"'{from}' is not a built-in dialect; the built-in ones are "
                        + $"{string.Join(", ", BuiltInDialects.Names)}.{Spelling.Suggestion(from, BuiltInDialects.Names)}"
                );
            }

            return new DialectDescription(name, Merge(under, root));
        }
    }

    /// <summary>The dialect with another key or another order, where given.</summary>
    /// <param name="keys">Fields or JSON Pointers; null for the dialect's own.</param>
    /// <param name="orderBy">A field or JSON Pointer; null for the dialect's own.</param>
    public DialectDescription With(IReadOnlyList<string>? keys, string? orderBy)
    {
        // A table of children shows its whole key, with the parent's part; alone, that would be read as the key of both.
        if (Snapshot.Children is not null && keys is not null && keys.SequenceEqual(Snapshot.Key.Select(key => key.Field)))
            keys = null;
        if (keys is null && orderBy is null)
            return this;
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            if (keys is not null)
            {
                json.WriteStartArray("Key");
                foreach (var key in keys)
                    json.WriteStringValue(key);
                json.WriteEndArray();
            }

            if (orderBy is not null)
                json.WriteString("OrderBy", orderBy);
            json.WriteEndObject();
        }

        using var over = JsonDocument.Parse(output.WrittenMemory);
        return new DialectDescription(Name, Merge(Json, over.RootElement));
    }

    /// <summary>The same feed, of which the elements of a list in each item are the records.</summary>
    /// <param name="children">The place of the list.</param>
    internal DialectDescription OfChildren(string children)
    {
        using var over = JsonDocument.Parse($"{{\"Children\":{JsonSerializer.Serialize(children, EngineJson.Default.String)}}}");
        return new DialectDescription($"{Name}:{children}", Merge(Json, over.RootElement));
    }

    /// <summary>The usual name of the table of a feed; one of children has the name of their list behind it.</summary>
    /// <param name="feedTable">The table that the feed itself fills, such as <c>groups</c>.</param>
    public string TableNameOf(string feedTable)
    {
        if (Snapshot.Children is not { } children)
            return feedTable;
        var list = children.Segments is [.., var last] ? last : "";
        var name = $"{feedTable}.{(list.EndsWith(DeltaSuffix, StringComparison.Ordinal) ? list[..^DeltaSuffix.Length] : list)}";
        return TableNaming.IsValid(name) ? name : feedTable + ".children";
    }

    /// <summary>Finds a dialect by a built-in one's name, or reads it from a file.</summary>
    /// <param name="nameOrPath">
    /// The name, also with a colon and its <c>Children</c> (<c>ODataDelta:members@delta</c>), or the path of a file that ends in
    /// <c>.json</c>.
    /// </param>
    /// <exception cref="DialectFormatException">It is neither.</exception>
    public static DialectDescription Load(string nameOrPath)
    {
        if (BuiltInDialects.Find(nameOrPath) is { } known)
            return known;
        if (nameOrPath.Split(':', 2) is [var name, { Length: > 0 } children] && BuiltInDialects.Find(name) is { } parents)
            return parents.OfChildren(children);
        if (!nameOrPath.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            throw new DialectFormatException(
                nameOrPath,
                $"it is not a file that ends in .json, and the built-in ones are "
                    + $"{string.Join(", ", BuiltInDialects.Names)}.{Spelling.Suggestion(nameOrPath, BuiltInDialects.Names)}"
            );
        }

        try
        {
            if (new FileInfo(nameOrPath).Length > MaximumLength)
                throw new DialectFormatException(nameOrPath, $"its file is larger than {MaximumLength} bytes");
            return Parse(File.ReadAllText(nameOrPath), Path.GetFileNameWithoutExtension(nameOrPath));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DialectFormatException(nameOrPath, "its file cannot be read: " + e.Message.TrimEnd('.'));
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>
    /// One description merged into another, key by key; the kinds of requests and their parameters are merged key by key too.
    /// </summary>
    private static string Merge(string? under, JsonElement over)
    {
        var output = new ArrayBufferWriter<byte>();
        using (
            var json = new Utf8JsonWriter(
                output,
                new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
            )
        )
        {
            if (under is null)
            {
                Write(json, default, over, depth: 0);
            }
            else
            {
                using var document = JsonDocument.Parse(under);
                Write(json, document.RootElement, over, depth: 0);
            }
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter json, JsonElement under, JsonElement over, int depth)
    {
        json.WriteStartObject();
        if (under.ValueKind == JsonValueKind.Object)
        {
            foreach (var pair in under.EnumerateObject().Where(pair => Member(over, pair.Name) is null))
                pair.WriteTo(json);
        }

        foreach (var pair in over.EnumerateObject())
        {
            if (depth == 0 && pair.NameEquals("From"))
                continue;
            var name = Canonical(pair.Name, depth);
            json.WritePropertyName(name);
            var below = under.ValueKind == JsonValueKind.Object ? Member(under, name) : null;
            var nests = depth == 0 ? name is "Snapshot" or "Changes" or "Live" or "Begin" : depth == 1 && name is "Query" or "Headers";
            if (nests && pair.Value.ValueKind == JsonValueKind.Object)
            {
                Write(json, below ?? default, pair.Value, depth + 1);
            }
            else
            {
                pair.Value.WriteTo(json);
            }
        }

        json.WriteEndObject();
    }

    /// <summary>Case is ignored when reading; written as documented.</summary>
    private static string Canonical(string name, int depth) =>
        depth < 2 && DialectParser.Known.FirstOrDefault(key => key.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } known
            ? known
            : name;

    private static JsonElement? Member(JsonElement json, string name)
    {
        foreach (var pair in json.EnumerateObject())
        {
            if (pair.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return pair.Value;
        }

        return null;
    }
}

/// <summary>A dialect's description is invalid.</summary>
public sealed class DialectFormatException : LockstepException
{
    internal DialectFormatException(string name, string reason, Remedy? remedy = null)
        : base(
            ErrorKind.InvalidArgument,
            $"The dialect '{name}' cannot be used: {reason}{(reason[^1] is '?' or '.' ? "" : ".")}",
            remedy ?? "Correct it; docs/DIALECTS.md lists everything that a dialect may contain."
        ) { }
}
