namespace Lockstep.Engine.Records;

/// <summary>
/// What to say when a feed's first records lack the order field or the key: which fields there are, the likeliest first, and the option
/// that names one.
/// </summary>
/// <param name="Fields">The fields of the record.</param>
/// <param name="Remedy">What to do.</param>
internal sealed record MissingField(string Fields, Remedy Remedy)
{
    private const int MostListed = 20;

    /// <summary>What feeds call the order field, the likeliest first; case and underscores do not count.</summary>
    private static readonly string[] OrderNames =
    [
        "updatedat",
        "updated",
        "modifiedat",
        "modified",
        "lastmodified",
        "lastupdated",
        "lastupdate",
        "modifieddate",
        "updateddate",
        "changedat",
        "changed",
        "mtime",
        "timestamp",
        "since",
        "version",
        "revision",
        "rev",
        "seq",
        "sequence",
    ];

    /// <summary>The same for the key field.</summary>
    private static readonly string[] KeyNames = ["id", "uuid", "guid", "key", "identifier", "code", "name"];

    /// <summary>What to say about a record; null if it lacks neither.</summary>
    /// <param name="first">The record.</param>
    /// <param name="shape">What shape it should have.</param>
    /// <param name="lacksKey">Whether no field of it can be the key.</param>
    /// <param name="isImport">Whether the key may be the order too: then each value is a tie, and the later record wins (I3).</param>
    public static MissingField? Find(FirstRecord first, RecordShape shape, bool lacksKey, bool isImport)
    {
        var isTransaction = shape.Dialect == Dialect.Transaction;
        var fields = isTransaction ? first.DataFields ?? [] : first.Fields;
        if (fields.Count == 0)
            return null;
        if (!isTransaction && !fields.Contains(shape.OrderField))
        {
            var order = Likely(fields, OrderNames);
            if (lacksKey && order is null)
            {
                return new MissingField(
                    List(fields, null),
                    $"Name the key with {Term.Key}, and the field that grows with each change of a record with {Term.OrderBy}; if this is "
                        + $"one object that holds many, it is another server's: a dialect says where its records are ({Term.Dialect})."
                );
            }

            return new MissingField(
                List(fields, order),
                order is not null ? (Remedy)$"Name the field that orders the records, with {Term.OrderBy} {PlainText.Of(order)}."
                    : isImport && shape.KeyFields.FirstOrDefault(field => fields.Contains(field)) is { } own
                        ? (Remedy)(
                            $"Name the field that grows with each change of a record, with {Term.OrderBy}. If there is none, give the key, "
                            + $"{Term.OrderBy} {PlainText.Of(own)}: of two records with the same key the later one wins then."
                        )
                    : $"Name the field that grows with each change of a record, with {Term.OrderBy}."
            );
        }

        if (shape.KeyFields.All(field => fields.Contains(FieldPath.Names(field)[0])))
            return null;
        if (shape.KeyFields.Select(field => FieldPath.OfDotted(field, fields)).FirstOrDefault(path => path is not null) is { } pointer)
        {
            return new MissingField(
                List(fields, null),
                $"A field within a field is named by its JSON Pointer: {Term.Key} {PlainText.Of(pointer)}."
            );
        }

        var key = Likely(fields, KeyNames) ?? fields.FirstOrDefault(field => field.EndsWith("id", StringComparison.OrdinalIgnoreCase));
        return new MissingField(
            List(fields, key),
            key is not null
                ? (Remedy)$"Name the field that is the key, with {Term.Key} {PlainText.Of(key)}."
                : $"Name the field that is the key, with {Term.Key}."
        );
    }

    /// <summary>Whether a field's name is one of an order field.</summary>
    public static bool MayOrder(string field) => Likely([field], OrderNames) is not null;

    /// <summary>The fields, the likeliest first.</summary>
    private static string List(IReadOnlyList<string> fields, string? likely)
    {
        var names = fields.OrderByDescending(field => field == likely).Take(MostListed).Select(PlainText.Of);
        return string.Join(", ", names) + (fields.Count > MostListed ? ", ..." : "");
    }

    private static string? Likely(IReadOnlyList<string> fields, string[] likeliest)
    {
        var plain = fields
            .Select(field => (Field: field, Name: field.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant()))
            .ToList();
        return likeliest.Select(name => plain.FirstOrDefault(field => field.Name == name).Field).FirstOrDefault(field => field is not null);
    }
}
