using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Lockstep.Engine.Tables;

/// <summary>Compares two JSON objects, and merges one into another. Values keep their text.</summary>
internal static class JsonMerge
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 128 };

    /// <summary>
    /// Merges another object's fields into an object: top level only, existing fields keep their place, new ones go to the end. A field
    /// that the patch sets to null becomes null.
    /// </summary>
    /// <param name="patch">The new fields; valid JSON.</param>
    /// <param name="stored">The object; valid JSON.</param>
    public static ReadOnlySpan<byte> Lay(ReadOnlySpan<byte> patch, ReadOnlySpan<byte> stored)
    {
        using var under = JsonDocument.Parse(stored.ToArray(), Options);
        using var over = JsonDocument.Parse(patch.ToArray(), Options);
        var output = new ArrayBufferWriter<byte>(stored.Length + patch.Length);
        output.Write("{"u8);
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var field in under.RootElement.EnumerateObject())
        {
            if (written.Add(field.Name))
                Write(output, field, over.RootElement.TryGetProperty(field.Name, out var newer) ? newer : field.Value);
        }

        foreach (var field in over.RootElement.EnumerateObject())
        {
            if (written.Add(field.Name))
                Write(output, field, over.RootElement.GetProperty(field.Name));
        }

        output.Write("}"u8);
        return output.WrittenSpan;
    }

    /// <summary>Whether two texts are the same JSON, regardless of the order of fields and white space.</summary>
    /// <param name="left">Valid JSON.</param>
    /// <param name="right">Valid JSON.</param>
    public static bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        using var one = JsonDocument.Parse(left.ToArray(), Options);
        using var other = JsonDocument.Parse(right.ToArray(), Options);
        try
        {
            return JsonElement.DeepEquals(one.RootElement, other.RootElement);
        }
        catch (InvalidOperationException)
        {
            // Strings with half a surrogate pair can only be compared by their bytes, which differ.
            return false;
        }
    }

    private static void Write(ArrayBufferWriter<byte> output, JsonProperty field, JsonElement value)
    {
        if (output.WrittenCount > 1)
            output.Write(","u8);
        output.Write("\""u8);
        output.Write(JsonMarshal.GetRawUtf8PropertyName(field));
        output.Write("\":"u8);
        output.Write(JsonMarshal.GetRawUtf8Value(value));
    }
}
