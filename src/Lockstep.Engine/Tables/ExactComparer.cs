using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Lockstep.Engine.Tables;

/// <summary>
/// SQLite functions that compare numbers of a record's text with all their digits: <c>lockstep_exact(body, n)</c> is negative, zero or
/// positive, <c>lockstep_exact_in(body, n)</c> says whether the number is one of several. Both are null if a field is no number.
/// </summary>
internal sealed class ExactComparer
{
    public const string Compare = "lockstep_exact";
    public const string IsOneOf = "lockstep_exact_in";

    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly List<Comparison> _comparisons = [];

    /// <summary>The call that compares a field with a number.</summary>
    public string With(IReadOnlyList<string> field, FilterNumber number) => Call(Compare, new Comparison(Utf8(field), null, [number.Utf8]));

    /// <summary>The call that compares two fields.</summary>
    public string With(IReadOnlyList<string> field, IReadOnlyList<string> other) =>
        Call(Compare, new Comparison(Utf8(field), Utf8(other), []));

    /// <summary>The call that says whether a field is one of these numbers.</summary>
    public string In(IReadOnlyList<string> field, IEnumerable<FilterNumber> numbers) =>
        Call(
            IsOneOf,
            new Comparison(
                Utf8(field),
                null,
                [.. numbers.Select(number => number.Utf8).Order(Comparer<byte[]>.Create((a, b) => DecimalText.Compare(a, b)))]
            )
        );

    /// <summary>Registers the functions on a connection, until another comparer does.</summary>
    public void Register(SqliteConnection connection)
    {
        if (_comparisons.Count == 0)
            return;
        Add(Compare, CompareOne);
        Add(IsOneOf, FindOne);

        void Add(string name, Func<byte[]?, int, int?> work) =>
            SqliteException.ThrowExceptionForRC(
                raw.sqlite3_create_function(
                    connection.Handle,
                    name,
                    2,
                    raw.SQLITE_UTF8,
                    null,
                    (context, _, values) =>
                    {
                        if (Run(work, values) is { } result)
                            raw.sqlite3_result_int(context, result);
                        else
                            raw.sqlite3_result_null(context);
                    }
                ),
                connection.Handle
            );
    }

    private int? Run(Func<byte[]?, int, int?> work, sqlite3_value[] values)
    {
        // No exception may escape into SQLite's code. The engine wrote the call, but a user may write one too.
        var place = raw.sqlite3_value_int(values[1]);
        if (place < 0 || place >= _comparisons.Count)
            return null;
        try
        {
            return work(raw.sqlite3_value_blob(values[0]).ToArray(), place);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private int? CompareOne(byte[]? body, int place)
    {
        var comparison = _comparisons[place];
        var field = Read(body, comparison.Field);
        var other = comparison.Other is { } path ? Read(body, path) : comparison.Numbers[0];
        return field.IsEmpty || other.IsEmpty ? null : DecimalText.Compare(field, other);
    }

    private int? FindOne(byte[]? body, int place)
    {
        var comparison = _comparisons[place];
        var field = Read(body, comparison.Field);
        if (field.IsEmpty)
            return null;
        var (low, high) = (0, comparison.Numbers.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var order = DecimalText.Compare(comparison.Numbers[middle], field);
            if (order == 0)
                return 1;
            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return 0;
    }

    /// <summary>
    /// The number at a path, true and false as SQLite has them; empty for anything else. If two members have one name, the first counts.
    /// </summary>
    private static ReadOnlySpan<byte> Read(ReadOnlySpan<byte> body, byte[][] path)
    {
        var json = new Utf8JsonReader(body, AnyDepth);
        json.Read();
        foreach (var name in path)
        {
            if (json.TokenType != JsonTokenType.StartObject)
                return default;
            var isFound = false;
            while (!isFound && json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                isFound = IsNamed(ref json, name);
                json.Read();
                if (!isFound)
                    json.Skip();
            }

            if (!isFound)
                return default;
        }

        return json.TokenType switch
        {
            JsonTokenType.Number => json.ValueSpan,
            JsonTokenType.True => "1"u8,
            JsonTokenType.False => "0"u8,
            _ => default,
        };
    }

    /// <summary>Whether a member has the name; one with half a surrogate pair has none that a filter could express.</summary>
    private static bool IsNamed(ref Utf8JsonReader json, byte[] name)
    {
        try
        {
            return json.ValueTextEquals(name);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private string Call(string function, Comparison comparison)
    {
        _comparisons.Add(comparison);
        return FormattableString.Invariant($"{function}(lockstep_body, {_comparisons.Count - 1})");
    }

    private static byte[][] Utf8(IReadOnlyList<string> path) => [.. path.Select(Encoding.UTF8.GetBytes)];

    /// <param name="Field">The names that lead to the field.</param>
    /// <param name="Other">Those that lead to what it is compared with; null for numbers.</param>
    /// <param name="Numbers">The numbers, in order.</param>
    private sealed record Comparison(byte[][] Field, byte[][]? Other, byte[][] Numbers);
}
