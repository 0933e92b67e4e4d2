namespace Lockstep.Engine.Dialects;

/// <summary>The format of a response's body.</summary>
internal enum DialectFraming
{
    /// <summary>One JSON document.</summary>
    Json,

    /// <summary>One JSON object per line, endless.</summary>
    JsonLines,

    /// <summary>Server-sent events.</summary>
    EventStream,
}

/// <summary>What a request is for.</summary>
internal enum RequestKind
{
    /// <summary>The whole set.</summary>
    Snapshot,

    /// <summary>What has changed since the cursor.</summary>
    Changes,

    /// <summary>Changes to come.</summary>
    Live,
}

/// <summary>The type of a cursor: how records write a time, or a type with its own order.</summary>
internal enum CursorType
{
    /// <summary>A time in RFC 3339; without a zone, in the dialect's zone.</summary>
    Time,

    /// <summary>A number that increases from record to record.</summary>
    Number,

    /// <summary>Seconds since 1970.</summary>
    Seconds,

    /// <summary>Milliseconds since 1970.</summary>
    Milliseconds,

    /// <summary>A sortable text: one that goes backwards belongs to another feed at the same address.</summary>
    Text,
}

/// <summary>A field of the record that is part of its key, and where in the item its value is.</summary>
/// <param name="Field">The field's name, or the JSON Pointer to it.</param>
/// <param name="Place">The place of the value.</param>
/// <param name="IsOfItem">Whether that is outside the record, so that the field is added to a record that lacks it.</param>
internal sealed record KeyRule(string Field, Place Place, bool IsOfItem)
{
    /// <summary>The field's name in UTF-8.</summary>
    public byte[] Name { get; } = System.Text.Encoding.UTF8.GetBytes(Field);

    /// <summary>The name as a JSON member, with quotes and colon.</summary>
    public byte[] Member { get; } =
    [.. System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(Field, Records.EngineJson.Default.String), (byte)':'];
}

/// <summary>A field's name, or after a <c>*</c> a suffix of one. Immutable.</summary>
internal sealed class FieldPattern(string text)
{
    private readonly byte[] _name = System.Text.Encoding.UTF8.GetBytes(text.TrimStart('*'));
    private readonly bool _isEnd = text.StartsWith('*');

    /// <summary>Whether the pattern matches a name, in UTF-8 and without escapes.</summary>
    public bool Matches(ReadOnlySpan<byte> name) => _isEnd ? name.EndsWith(_name) : name.SequenceEqual(_name);
}

/// <summary>One parameter of a request.</summary>
internal sealed record Parameter(string Name, Template Value);

/// <summary>
/// How one kind of request is made and its response read: the dialect's rules, overridden by those of this kind. Immutable.
/// </summary>
internal sealed record DialectRules
{
    public DialectFraming? Framing { get; init; }

    public Place? Items { get; init; }

    public Place? Record { get; init; }

    /// <summary>Where in an item the list is whose elements are the records; null if the items themselves are.</summary>
    public Place? Children { get; init; }

    /// <summary>The parts of the key; with <see cref="Children"/>, those of the item around come first.</summary>
    public IReadOnlyList<KeyRule> Key { get; init; } = [];

    /// <summary>How many parts of the key come from the item around.</summary>
    public int ParentParts { get; init; }

    public Place? OrderBy { get; init; }

    public Condition? Deleted { get; init; }

    /// <summary>Where a deletion without a key identifies its record, possibly by an address (<see cref="EntityId"/>).</summary>
    public IReadOnlyList<Place> DeletedKey { get; init; } = [];

    public Condition? Skip { get; init; }

    /// <summary>What every record fulfils; other items are reported and skipped.</summary>
    public Condition? Only { get; init; }

    /// <summary>Whether an item contains only the changed fields, so that it is merged into the stored record.</summary>
    public bool Merges { get; init; }

    /// <summary>The fields to leave out of records; after a <c>*</c>, all that end with the rest.</summary>
    public IReadOnlyList<FieldPattern> Drop { get; init; } = [];

    /// <summary>Whether a list's <c>kind</c> and <c>apiVersion</c> are added to its items, which lack them.</summary>
    public bool TypesItems { get; init; }

    /// <summary>Where the URL of the next page is; empty if pages are requested by parameters.</summary>
    public IReadOnlyList<Place> NextUrl { get; init; } = [];

    /// <summary>The parameters that request the next page, and the places of their values.</summary>
    public IReadOnlyList<(string Name, Place Place)> NextParameters { get; init; } = [];

    public IReadOnlyList<Place> Cursor { get; init; } = [];

    public CursorType CursorType { get; init; }

    /// <summary>The zone of times that have none.</summary>
    public TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Utc;

    public IReadOnlyList<Place> Identity { get; init; } = [];

    public Condition? UpToDate { get; init; }

    public Condition? Heartbeat { get; init; }

    public Condition? Resync { get; init; }

    /// <summary>The sign that the feed has ended for good.</summary>
    public Condition? End { get; init; }

    /// <summary>Whether the response is the whole set, so that a record missing from it is gone.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Whether that was set explicitly, so that no sign in an answer overrides it.</summary>
    public bool IsWholeSaid { get; init; }

    /// <summary>Whether a next page may still be requested days later, so that a round resumes there after a crash.</summary>
    public bool Resumes { get; init; }

    /// <summary>
    /// Whether the server returns records in the order of the field whose largest value is the cursor. A few records do not prove it.
    /// </summary>
    public bool IsAscending { get; init; }

    /// <summary>Whether a response is applied only once all of it has arrived.</summary>
    public bool IsAtomic { get; init; }

    /// <summary>Where the request goes, relative to the feed's URI; null for the URI itself.</summary>
    public string? Path { get; init; }

    public IReadOnlyList<Parameter> Query { get; init; } = [];

    public IReadOnlyList<Parameter> Headers { get; init; } = [];

    /// <summary>The body to send, by POST; null for a GET.</summary>
    public RequestBody? Body { get; init; }

    /// <summary>How long a request may go without a sign of life, sent to the feed as <c>{timeout}</c>.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Whether the cursor is sent as a parameter; otherwise it is the URL to request.</summary>
    public bool CursorIsParameter => Query.Any(p => p.Value.HasCursor) || Headers.Any(p => p.Value.HasCursor) || Body?.HasCursor == true;

    /// <summary>Whether the cursor is the largest value of a field that changes with the record.</summary>
    public bool HasMaximumCursor => Cursor.Any(place => place.IsMaximum);

    public bool HasNext => NextUrl.Count + NextParameters.Count > 0;
}
