using System.Text.Json;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Feed;

/// <summary>Recognises a body that is not a feed of records by its first bytes.</summary>
internal static class ForeignBody
{
    /// <summary>The members in which pages of other protocols hold their records.</summary>
    private static readonly string[] Holders = ["value", "items", "results", "records", "rows", "data", "entries"];

    /// <summary>Whether a body that begins like this is an HTML or XML page.</summary>
    public static bool IsMarkup(ReadOnlySpan<byte> start) => BodyStart.Content(start) is [(byte)'<', ..];

    /// <summary>Whether a body that begins like this is an HTML page.</summary>
    public static bool IsPage(ReadOnlySpan<byte> start) => BodyStart.Content(start) is [(byte)'<', ..] page && !page.StartsWith("<?xml"u8);

    /// <summary>Whether a content type, without its parameters, is that of an HTML or XML page.</summary>
    public static bool IsMarkup(string? mediaType) =>
        mediaType is not null
        && (
            mediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase)
            || mediaType.EndsWith("/xml", StringComparison.OrdinalIgnoreCase)
            || mediaType.EndsWith("+xml", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>What the body is, as the reason why it holds no records; null if unknown.</summary>
    /// <param name="start">Its first stretch that is no record.</param>
    public static string? Describe(ReadOnlySpan<byte> start)
    {
        start = BodyStart.Content(start);
        if (start.IsEmpty)
            return null;
        if (start[0] == '<')
            return IsPage(start) ? "the body is an HTML page, perhaps one to sign in at" : "the body is XML";
        if (BodyStart.IsArray(start))
            return "the body is one JSON array";
        foreach (var field in (string[])["data:", "event:", "id:", "retry:"])
        {
            if (start.StartsWith(System.Text.Encoding.ASCII.GetBytes(field)))
                return "the body is a stream of server-sent events";
        }

        return start[0] == '{' ? DescribePage(start) : null;
    }

    /// <summary>
    /// The only member that is a list of objects, in an object that is no record: it has neither the usual key nor a field that may order
    /// records. Null if there is none.
    /// </summary>
    public static string? OnlyList(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(BodyStart.Content(json), new JsonReaderOptions { MaxDepth = 128 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            string? found = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = JsonText.Decode(ref reader);
                if (name == WireNames.DefaultKeyField || MissingField.MayOrder(name))
                    return null;
                reader.Read();
                var isList = reader.TokenType == JsonTokenType.StartArray;
                if (isList && reader.Read() && reader.TokenType == JsonTokenType.StartObject)
                {
                    if (found is not null)
                        return null;
                    found = name;
                }

                if (isList)
                {
                    while (reader.CurrentDepth > 1 || reader.TokenType != JsonTokenType.EndArray)
                        reader.Read();
                }
                else
                {
                    reader.Skip();
                }
            }

            return found?.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') == true ? found : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? DescribePage(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 128 });
            reader.Read();
            string? holder = null;
            var isRecord = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = JsonText.Decode(ref reader);
                if (name.StartsWith("@odata.", StringComparison.Ordinal))
                    return "the body is a page of OData, one object with the records in 'value'";
                isRecord |= name == WireNames.DefaultKeyField;
                reader.Read();
                if (reader.TokenType == JsonTokenType.StartArray && Holders.Contains(name, StringComparer.OrdinalIgnoreCase))
                    holder ??= name;
                reader.Skip();
            }

            return holder is null || isRecord ? null : $"the body is one object that holds a list in '{holder}'";
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
