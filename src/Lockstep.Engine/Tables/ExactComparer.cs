using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables.Native;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// SQLite functions that compare numbers in a record's text with all their digits: <c>lockstep_exact(body, n)</c> is negative, zero or
/// positive, and <c>lockstep_exact_in(body, n)</c> says whether the number is one of several. As in SQLite, true is 1 and false 0,
/// everything else is above all numbers, and for null or a missing field the result is null.
/// </summary>
internal sealed class ExactComparer
{
    public const string Compare = "lockstep_exact";
    public const string IsOneOf = "lockstep_exact_in";

    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly List<Comparison> _comparisons = [];

    /// <summary>The call that compares a field to a number.</summary>
    public string With(IReadOnlyList<string> field, FilterNumber number) => Call(Compare, new Comparison(Utf8(field), null, [number.Utf8]));

    /// <summary>The call that compares two fields.</summary>
    public string With(IReadOnlyList<string> field, IReadOnlyList<string> other) =>
        Call(Compare, new Comparison(Utf8(field), Utf8(other), []));

    /// <summary>The call that tests whether a field is one of these numbers.</summary>
    public string In(IReadOnlyList<string> field, IEnumerable<FilterNumber> numbers) =>
        Call(
            IsOneOf,
            new Comparison(
                Utf8(field),
                null,
                [.. numbers.Select(number => number.Utf8).Order(Comparer<byte[]>.Create((a, b) => DecimalText.Compare(a, b)))]
            )
        );

    /// <summary>Registers the functions on a connection, replacing another comparer's.</summary>
    public unsafe void Register(SqliteConnection connection)
    {
        if (_comparisons.Count == 0)
            return;
        Add("lockstep_exact\0"u8, &CompareOne);
        Add("lockstep_exact_in\0"u8, &FindOne);

        void Add(ReadOnlySpan<byte> name, delegate* unmanaged[Cdecl]<nint, int, nint*, void> function)
        {
            const int Utf8Encoding = 1;
            var handle = GCHandle.ToIntPtr(GCHandle.Alloc(this));
            fixed (byte* pointer = name)
            {
                // If this fails, SQLite still releases the handle.
                SqliteException.ThrowExceptionForRC(
                    NativeSqlite.CreateFunction(
                        connection.Handle!.DangerousGetHandle(),
                        pointer,
                        2,
                        Utf8Encoding,
                        handle,
                        function,
                        0,
                        0,
                        &Release
                    ),
                    connection.Handle
                );
            }
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Release(nint data) => GCHandle.FromIntPtr(data).Free();

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void CompareOne(nint context, int count, nint* values) => Run(context, values, isList: false);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void FindOne(nint context, int count, nint* values) => Run(context, values, isList: true);

    private static unsafe void Run(nint context, nint* values, bool isList)
    {
        // No exception may escape into SQLite's code. The engine wrote the call, but a user may write one too.
        try
        {
            var comparer = (ExactComparer)GCHandle.FromIntPtr(NativeSqlite.UserData(context)).Target!;
            var place = NativeSqlite.ValueInteger(values[1]);
            if (place < 0 || place >= comparer._comparisons.Count)
                return;
            var start = NativeSqlite.ValueBlob(values[0]);
            var body = new ReadOnlySpan<byte>(start, NativeSqlite.ValueBytes(values[0]));
            var comparison = comparer._comparisons[place];
            if ((isList ? FindOne(body, comparison) : CompareOne(body, comparison)) is { } result)
                NativeSqlite.ResultInteger(context, result);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            var message = "malformed JSON"u8;
            fixed (byte* pointer = message)
                NativeSqlite.ResultError(context, pointer, message.Length);
        }
    }

    private static int? CompareOne(ReadOnlySpan<byte> body, Comparison comparison)
    {
        var field = Read(body, comparison.Field, out var isOther);
        if (comparison.Other is { } path)
        {
            var other = Read(body, path, out _);
            return field.IsEmpty || other.IsEmpty ? null : DecimalText.Compare(field, other);
        }

        if (isOther)
            return 1;
        return field.IsEmpty ? null : DecimalText.Compare(field, comparison.Numbers[0]);
    }

    private static int? FindOne(ReadOnlySpan<byte> body, Comparison comparison)
    {
        var field = Read(body, comparison.Field, out var isOther);
        if (isOther)
            return 0;
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
    /// The number at a path, with true and false as in SQLite; empty for anything else. If two members have the same name, the first
    /// counts.
    /// </summary>
    private static ReadOnlySpan<byte> Read(ReadOnlySpan<byte> body, byte[][] path, out bool isOther)
    {
        isOther = false;
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

        isOther = json.TokenType is JsonTokenType.String or JsonTokenType.StartObject or JsonTokenType.StartArray;
        return json.TokenType switch
        {
            JsonTokenType.Number => json.ValueSpan,
            JsonTokenType.True => "1"u8,
            JsonTokenType.False => "0"u8,
            _ => default,
        };
    }

    /// <summary>Whether a member has the name; a name with half a surrogate pair is none that a filter could express.</summary>
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
    /// <param name="Other">Those that lead to the other field; null to compare to numbers.</param>
    /// <param name="Numbers">The numbers, sorted.</param>
    private sealed record Comparison(byte[][] Field, byte[][]? Other, byte[][] Numbers);
}
