using System.Text;

namespace Lockstep.TestServer.Foreign;

/// <summary>Server-sent events in their wire format (WHATWG HTML, 9.2).</summary>
internal static class EventText
{
    /// <param name="data">One line.</param>
    /// <param name="id">The id; null for none.</param>
    /// <param name="type">The type; null for the default.</param>
    public static ReadOnlyMemory<byte> Frame(ReadOnlyMemory<byte> data, string? id = null, string? type = null)
    {
        var head = (id is null ? "" : $"id: {id}\n") + (type is null ? "" : $"event: {type}\n") + "data: ";
        return (byte[])[.. Encoding.UTF8.GetBytes(head), .. data.Span, (byte)'\n', (byte)'\n'];
    }

    /// <inheritdoc cref="Frame(ReadOnlyMemory{byte}, string?, string?)"/>
    public static string Frame(string data, string? type) => JsonBody.Text(Frame(JsonBody.Bytes(data), id: null, type));
}
