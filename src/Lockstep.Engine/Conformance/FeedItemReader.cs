using System.Text;
using System.Text.Json;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Conformance;

/// <summary>Turns frames into items.</summary>
internal sealed class FeedItemReader(ConformanceOptions options)
{
    /// <summary>What is wrong with a body that is a JSON array, in words.</summary>
    public const string Array = "the body is one JSON array, not one object after another";

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false };

    /// <returns>Null for a blank line.</returns>
    public FeedItem? Read(Frame frame)
    {
        if (frame.Kind == FrameKind.BlankLine)
            return null;
        if (frame.Kind != FrameKind.Object)
            return Malformed(frame.Offset, BodyStart.IsArray(frame.Bytes) ? Array : frame.Kind.ToString());
        try
        {
            using var document = JsonDocument.Parse(frame.Bytes.ToArray(), Strict);
            return Read(document.RootElement, frame.Offset);
        }
        catch (JsonException error)
        {
            return Malformed(frame.Offset, error.Message);
        }
    }

    private static FeedItem Malformed(long offset, string why) => new(FeedItemKind.Malformed, offset, Missing: why);

    private FeedItem Read(JsonElement json, long offset)
    {
        if (json.EnumerateObject().Count() == 1 && json.TryGetProperty("heartbeat", out _))
            return new FeedItem(FeedItemKind.Heartbeat, offset);
        if (
            json.TryGetProperty("control", out var control)
            && control.ValueKind == JsonValueKind.True
            && json.TryGetProperty("type", out var type)
        )
        {
            return new FeedItem(type.ValueEquals("snapshot_completed") ? FeedItemKind.SnapshotCompleted : FeedItemKind.Heartbeat, offset);
        }

        return
            json.TryGetProperty("txid", out var txid)
            && txid.ValueKind == JsonValueKind.Number
            && json.TryGetProperty("data", out var data)
            && data.ValueKind == JsonValueKind.Object
            ? ReadTransaction(json, data, offset)
            : ReadRecord(json, offset);
    }

    private FeedItem ReadRecord(JsonElement json, long offset)
    {
        var field = options.OrderBy ?? WireNames.DefaultOrderField;
        var order = Order(json, field);
        List<string> missing = [];
        if (order.Kind == OrderKind.Unknown)
            missing.Add($"{field} (a number or a string)");
        var hasDeletedAt = json.TryGetProperty("deleted_at", out var deletedAt);
        if (!hasDeletedAt)
            missing.Add("deleted_at");
        return new FeedItem(FeedItemKind.Record, offset, Key(json), order, hasDeletedAt && IsDeleted(deletedAt), Join(missing));
    }

    private static bool IsDeleted(JsonElement deletedAt)
    {
        var text = Encoding.UTF8.GetBytes(deletedAt.GetRawText());
        var (kind, quotes) = deletedAt.ValueKind switch
        {
            JsonValueKind.Null => (JsonKind.Null, 0),
            JsonValueKind.False => (JsonKind.False, 0),
            JsonValueKind.True => (JsonKind.True, 0),
            JsonValueKind.Number => (JsonKind.Number, 0),
            JsonValueKind.String => (JsonKind.String, 1),
            _ => (JsonKind.Object, 0),
        };
        var slice = new JsonSlice(kind, quotes, text.Length - (2 * quotes), IsEscaped: false);
        return DeletionMark.OfTime(slice, text) is Deletion.Deleted or Deletion.OddlyDeleted;
    }

    private FeedItem ReadTransaction(JsonElement json, JsonElement data, long offset)
    {
        var since = Order(json, options.OrderBy ?? "since");
        var transaction = Order(json, "txid");
        var horizon = Order(json, "current_xmin");
        List<string> missing = [];
        if (since.Kind != OrderKind.Number)
            missing.Add("since (a number)");
        if (horizon.Kind != OrderKind.Number)
            missing.Add("current_xmin (a number)");
        else if (since.Kind == OrderKind.Number && options.OrderBy is null && OrderValue.Compare(since, Smaller(transaction, horizon)) > 0)
            missing.Add("a since that is not above txid and current_xmin");
        if (!json.TryGetProperty("deleted", out var deleted) || deleted.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
            missing.Add("deleted (true or false)");
        return new FeedItem(FeedItemKind.Transaction, offset, Key(data), since, deleted.ValueKind == JsonValueKind.True, Join(missing));
    }

    private string? Key(JsonElement json)
    {
        var names =
            options.Key.Count > 0 ? options.Key
            : json.TryGetProperty(WireNames.DefaultKeyField, out _) ? [WireNames.DefaultKeyField]
            : [json.EnumerateObject().Select(member => member.Name).FirstOrDefault() ?? ""];
        List<string> parts = [];
        foreach (var name in names)
        {
            if (
                !json.TryGetProperty(name, out var part)
                || part.ValueKind is JsonValueKind.Null or JsonValueKind.Object or JsonValueKind.Array
            )
            {
                return null;
            }

            parts.Add(part.GetRawText());
        }
        return string.Join(',', parts);
    }

    private static OrderValue Order(JsonElement json, string field) =>
        !json.TryGetProperty(field, out var value)
            ? default
            : value.ValueKind switch
            {
                JsonValueKind.Number => OrderValue.FromNumber(System.Text.Encoding.ASCII.GetBytes(value.GetRawText())),
                JsonValueKind.String => OrderValue.FromText(value.GetString()!),
                _ => default,
            };

    private static OrderValue Smaller(OrderValue left, OrderValue right) => OrderValue.Compare(left, right) <= 0 ? left : right;

    private static string? Join(List<string> missing) => missing.Count == 0 ? null : string.Join(", ", missing);
}
