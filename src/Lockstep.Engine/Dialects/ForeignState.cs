using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>What a table remembers of its dialect: the complete description, and the URI that its cursor came from. Immutable.</summary>
/// <param name="Name">The dialect's name.</param>
/// <param name="Json">Its description.</param>
/// <param name="Uri">The feed's URI without secrets.</param>
internal sealed record ForeignState(string Name, string Json, string Uri)
{
    /// <summary>The field that a warning has named as a possible deletion mark; null if none has.</summary>
    public string? DeletionMark { get; init; }

    /// <summary>The entity tag of the whole set that the table holds, for a set that is one answer; null otherwise.</summary>
    public string? EntityTag { get; init; }

    /// <summary>Parses what <see cref="ToString"/> wrote; null for null.</summary>
    public static ForeignState? Parse(string? text)
    {
        if (text is null)
            return null;
        using var document = JsonDocument.Parse(text);
        var root = document.RootElement;
        return new ForeignState(
            root.GetProperty("name").GetString()!,
            root.GetProperty("dialect").GetRawText(),
            root.GetProperty("uri").GetString()!
        )
        {
            DeletionMark = root.TryGetProperty("deletionMark", out var mark) ? mark.GetString() : null,
            EntityTag = root.TryGetProperty("entityTag", out var tag) ? tag.GetString() : null,
        };
    }

    /// <summary>The dialect by which the table is read.</summary>
    public DialectDescription Dialect => DialectDescription.Stored(Json, Name);

    /// <summary>Why the table cannot continue with another URI or dialect; null if it can.</summary>
    public string? WhatDiffers(string uri, DialectDescription dialect) =>
        uri != Uri ? "the URI's options are not those of the cursor's request"
        : dialect.Json != Json ? "the dialect's description has changed"
        : null;

    /// <summary>One JSON object.</summary>
    public override string ToString()
    {
        var output = new ArrayBufferWriter<byte>();
        using (
            var json = new Utf8JsonWriter(
                output,
                new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
            )
        )
        {
            json.WriteStartObject();
            json.WriteString("name", Name);
            json.WriteString("uri", Uri);
            if (DeletionMark is not null)
                json.WriteString("deletionMark", DeletionMark);
            if (EntityTag is not null)
                json.WriteString("entityTag", EntityTag);
            json.WritePropertyName("dialect");
            json.WriteRawValue(Json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
