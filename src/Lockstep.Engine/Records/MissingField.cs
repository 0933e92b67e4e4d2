namespace Lockstep.Engine.Records;

/// <summary>What to say when the first records of a feed lack the field that orders them or their key: which fields there are.</summary>
internal static class MissingField
{
    private const int MostListed = 20;

    /// <summary>What feeds call the field that orders records, the likeliest first; without regard to case and underscores.</summary>
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

    /// <summary>The option that names the field, with the fields that could be it; null when none of the two is missing.</summary>
    public static Remedy? Advise(FirstRecord first, RecordShape shape)
    {
        if (shape.Dialect != Dialect.Record || first.Fields.Count == 0)
            return null;
        if (!first.HasField(shape.OrderField))
        {
            return OrderOf(first) is { } likely
                ? (Remedy)$"Name the field that orders the records, with {Term.OrderBy} {PlainText.Of(likely)}."
                : $"Name the field that grows with each change of a record, with {Term.OrderBy}.";
        }

        return shape.KeyFields.Any(field => !first.HasField(field)) ? (Remedy)$"Name the field that is the key, with {Term.Key}." : null;
    }

    /// <summary>The fields of a record, the one that is likely to order it first.</summary>
    public static string List(FirstRecord first)
    {
        var likely = OrderOf(first);
        var names = first.Fields.OrderByDescending(field => field == likely).Take(MostListed).Select(PlainText.Of);
        return string.Join(", ", names) + (first.Fields.Count > MostListed ? ", ..." : "");
    }

    private static string? OrderOf(FirstRecord first)
    {
        var plain = first
            .Fields.Select(field => (Field: field, Name: field.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant()))
            .ToList();
        return OrderNames
            .Select(name => plain.FirstOrDefault(field => field.Name == name).Field)
            .FirstOrDefault(field => field is not null);
    }
}
