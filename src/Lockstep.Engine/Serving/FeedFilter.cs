using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Serving;

/// <summary>
/// Which rows and which columns of a feed a client wants. Works on finished lines, so it serves every source alike; a source may leave out
/// of a snapshot what cannot match. A changed row that does not match is sent as deleted, with its key, since it may have matched before;
/// the key is always among the columns. Immutable, thread-safe.
/// </summary>
internal sealed class FeedFilter
{
    /// <summary>The most conditions of one filter.</summary>
    public const int MaximumConditions = 32;

    /// <summary>The most columns that a filter may name.</summary>
    public const int MaximumColumns = 1_000;

    /// <summary>The most characters of a condition, and of each list of columns.</summary>
    public const int MaximumLength = 4_096;

    /// <summary>One deeply nested row must not end the feed of everybody who filters: they may do with it what they like.</summary>
    internal static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly HashSet<string>? _columns;
    private readonly IReadOnlyList<FeedCondition> _conditions;

    private FeedFilter(HashSet<string>? columns, IReadOnlyList<FeedCondition> conditions, string identity)
    {
        _columns = columns;
        _conditions = conditions;
        Identity = identity;
    }

    /// <summary>
    /// Stands for the filter in a feed's identity: a cursor from another filter means nothing, since rows that it left out would never
    /// come.
    /// </summary>
    public string Identity { get; }

    /// <summary>What must hold for a row.</summary>
    internal IReadOnlyList<FeedCondition> Conditions => _conditions;

    /// <summary>Creates a filter from a request's parameters; null if they ask for everything.</summary>
    /// <param name="columns">The values of <c>columns</c>: names separated by commas.</param>
    /// <param name="where">The values of <c>where</c>, all of which must hold: a name, one of <c>= != &lt; &lt;= &gt; &gt;=</c>, and a
    /// value.</param>
    /// <exception cref="FeedFilterException">They cannot be understood.</exception>
    public static FeedFilter? Parse(IEnumerable<string?> columns, IEnumerable<string?> where)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(where);
        (columns, where) = (columns.ToArray(), where.ToArray());
        if (where.Count() > MaximumConditions || columns.Count() > MaximumConditions)
            throw new FeedFilterException($"A filter has at most {MaximumConditions} conditions.");
        if (columns.Concat(where).Any(text => text?.Length > MaximumLength))
            throw new FeedFilterException($"A condition and a list of columns have at most {MaximumLength} characters.");
        var names = columns
            .SelectMany(c => (c ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .ToHashSet(StringComparer.Ordinal);
        if (names.Count > MaximumColumns)
            throw new FeedFilterException($"A filter names at most {MaximumColumns} columns.");
        FeedCondition[] conditions = [.. where.Select(w => FeedCondition.Parse(w ?? ""))];
        if (names.Count == 0 && conditions.Length == 0)
            return null;
        var text =
            string.Join(',', names.Order(StringComparer.Ordinal))
            + "\n"
            + string.Join('\n', conditions.Select(c => c.ToString()).Order(StringComparer.Ordinal));
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return new FeedFilter(names.Count > 0 ? names : null, conditions, Convert.ToHexStringLower(digest.AsSpan(0, 6)));
    }

    /// <summary>Refuses columns that the feed's records do not have.</summary>
    /// <param name="known">Those that they have; null if unknown.</param>
    /// <exception cref="FeedFilterException">There is no such column; the message names those there are.</exception>
    public void RequireColumns(IReadOnlyList<string>? known)
    {
        if (known is not { Count: > 0 })
            return;
        var unknown = _conditions.Select(condition => condition.Name).Concat(_columns ?? []).FirstOrDefault(name => !known.Contains(name));
        if (unknown is not null)
            throw new FeedFilterException($"There is no column '{unknown}'. The columns are: {string.Join(", ", known)}.");
    }

    /// <summary>Writes the client's view of a row.</summary>
    /// <param name="line">One data row of the transaction dialect, without its line feed.</param>
    /// <param name="key">The key's members of <c>data</c>; empty for the first one.</param>
    /// <param name="isNew">Whether the client cannot have heard of the row before; if it does not match, it is then left out.</param>
    /// <param name="output">Gets the line, with its line feed.</param>
    /// <exception cref="JsonException">The line is not such a row.</exception>
    public void Write(ReadOnlySpan<byte> line, IReadOnlyList<string> key, bool isNew, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(output);
        if (FeedLines.IsControl(line))
        {
            output.Write(line);
            output.Write("\n"u8);
            return;
        }

        var row = FeedRow.Find(line);
        var fits = row.IsDeleted || Fits(line[row.Data]);
        if (!fits && isNew)
            return;

        // Everything before and after the two values that may change, unchanged.
        output.Write(line[..row.Deleted.Start]);
        output.Write(row.IsDeleted || !fits ? "true"u8 : "false"u8);
        output.Write(line[row.Deleted.End..row.Data.Start]);
        if (!row.IsDeleted && fits && _columns is null)
            output.Write(line[row.Data]);
        else
            WriteMembers(line[row.Data], key, row.IsDeleted || !fits ? null : _columns, output);
        output.Write(line[row.Data.End..]);
        output.Write("\n"u8);
    }

    /// <summary>Reads the row once for all conditions, so that many of them cost hardly more than one.</summary>
    private bool Fits(ReadOnlySpan<byte> data)
    {
        if (_conditions.Count == 0)
            return true;
        Span<bool> holds = stackalloc bool[_conditions.Count];
        for (var i = 0; i < holds.Length; i++)
            holds[i] = _conditions[i].HoldsForNone;
        var json = new Utf8JsonReader(data, AnyDepth);
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json;
            json.Read();
            for (var i = 0; i < holds.Length; i++)
            {
                // If a member occurs twice, the last one counts, as for a reader of the record.
                if (_conditions[i].IsOf(ref name))
                    holds[i] = _conditions[i].Holds(ref json);
            }

            json.Skip();
        }

        return !holds.Contains(false);
    }

    /// <summary>Writes an object with some members of another one, unchanged.</summary>
    /// <param name="data">The other one.</param>
    /// <param name="key">The key's members, which are included; empty for the first one.</param>
    /// <param name="others">The others that are included; null for none.</param>
    /// <param name="output">Gets it.</param>
    internal static void WriteMembers(
        ReadOnlySpan<byte> data,
        IReadOnlyList<string> key,
        HashSet<string>? others,
        IBufferWriter<byte> output
    )
    {
        output.Write("{"u8);
        var json = new Utf8JsonReader(data, AnyDepth);
        json.Read();
        var (index, written) = (0, 0);
        for (; json.Read() && json.TokenType == JsonTokenType.PropertyName; index++)
        {
            var start = (int)json.TokenStartIndex;
            var name = NameOf(ref json);
            json.Read();
            json.Skip();
            var isKey = key.Count == 0 ? index == 0 : name is not null && IsOfKey(name, key);
            if (!isKey && (name is null || others?.Contains(name) != true))
                continue;
            if (written++ > 0)
                output.Write(","u8);
            output.Write(data[start..(int)json.BytesConsumed]);
        }

        output.Write("}"u8);
    }

    /// <summary>Whether a member is part of the key, or holds a part of it.</summary>
    private static bool IsOfKey(string name, IReadOnlyList<string> key)
    {
        for (var i = 0; i < key.Count; i++)
        {
            if (FieldPath.IsPointer(key[i]) ? FieldPath.Names(key[i])[0] == name : key[i] == name)
                return true;
        }

        return false;
    }

    /// <summary>A member's name; null for one with half a surrogate pair, which nobody can ask for.</summary>
    private static string? NameOf(ref Utf8JsonReader json)
    {
        try
        {
            return json.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>The positions of the two values that a filter needs.</summary>
    private readonly ref struct FeedRow
    {
        private FeedRow(Range deleted, bool isDeleted, Range data)
        {
            Deleted = deleted;
            IsDeleted = isDeleted;
            Data = data;
        }

        public Range Deleted { get; }

        public bool IsDeleted { get; }

        public Range Data { get; }

        public static FeedRow Find(ReadOnlySpan<byte> line)
        {
            var json = new Utf8JsonReader(line, AnyDepth);
            Range? deleted = null,
                data = null;
            var isDeleted = false;
            json.Read();
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                var (isDeletedName, isDataName) = (json.ValueTextEquals("deleted"u8), json.ValueTextEquals("data"u8));
                json.Read();
                var start = (int)json.TokenStartIndex;
                if (isDeletedName)
                    isDeleted = json.TokenType == JsonTokenType.True;
                json.Skip();
                if (isDeletedName)
                    deleted = start..(int)json.BytesConsumed;
                if (isDataName)
                    data = start..(int)json.BytesConsumed;
            }

            return deleted is { } a && data is { } b && a.Start.Value < b.Start.Value
                ? new FeedRow(a, isDeleted, b)
                : throw new JsonException("A row has no members deleted and, after it, data.");
        }
    }
}
