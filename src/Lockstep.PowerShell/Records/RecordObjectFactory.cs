using System.Management.Automation;
using Lockstep.Engine.Records;

namespace Lockstep.Records;

/// <summary>Creates pipeline objects from records: one note property per field, in the record's order.</summary>
/// <param name="table">The table's name, for the type name <c>Lockstep.Record#table</c>.</param>
/// <param name="warn">Called once, with the first field that had to be renamed.</param>
/// <param name="wanted">The only properties to include, in this order, wildcards allowed; null for all.</param>
/// <param name="fields">The fields of the table's records, as far as they are known.</param>
internal sealed class RecordObjectFactory(
    string table,
    Action<string> warn,
    IReadOnlyList<string>? wanted,
    IReadOnlyList<string>? fields = null
) : IRecordFactory
{
    private readonly PropertyNames _table = new(fields ?? []);
    private readonly RecordTypeNames _typeNames = new($"Lockstep.Record#{table}", "Lockstep.Record");
    private bool _warned;

    public object Create(FieldNames names, ReadOnlySpan<object?> values, int depth)
    {
        var properties = names.Attachment as PropertyNames ?? Attach(names, depth);
        if (depth > 0)
            return Fill(PSObjectAccess.WithCapacity(values.Length), properties, values);

        var record = PSObjectAccess.WithCapacity(values.Length);
        _typeNames.ApplyTo(record);
        return wanted is null ? Fill(record, properties, values) : FillWanted(record, properties, values);
    }

    public object CreateNumber(string text) => NumberText.Create(text);

    // The names were checked: not reserved, not empty, all different.
    private static PSObject Fill(PSObject record, PropertyNames properties, ReadOnlySpan<object?> values)
    {
        if (properties.AreKnown && PSObjectAccess.OwnMembers(record) is { } own)
        {
            for (var i = 0; i < values.Length; i++)
                PSObjectAccess.Add(own, record, PropertyOf(properties, i, values[i], isAdded: true));
            return record;
        }

        var members = record.Properties;
        for (var i = 0; i < values.Length; i++)
            members.Add(PropertyOf(properties, i, values[i], isAdded: false), preValidated: true);
        properties.AreKnown = true;
        return record;
    }

    private static FieldProperty PropertyOf(PropertyNames properties, int field, object? value, bool isAdded) =>
        properties.IsRenamed(field)
            ? new RenamedFieldProperty(properties[field], value, properties.FieldAt(field), isAdded)
            : new FieldProperty(properties[field], value, isAdded);

    private PSObject FillWanted(PSObject record, PropertyNames properties, ReadOnlySpan<object?> values)
    {
        foreach (var selected in properties.Select(wanted!))
        {
            var value = selected.Field < 0 ? null : selected.Of(values[selected.Field]);
            record.Properties.Add(
                selected is { Field: >= 0 and var field, Below.Count: 0 } && properties.IsRenamed(field)
                    ? new RenamedFieldProperty(selected.Property, value, properties.FieldAt(field), isAdded: false)
                    : new FieldProperty(selected.Property, value),
                preValidated: true
            );
        }

        return record;
    }

    private PropertyNames Attach(FieldNames names, int depth)
    {
        var properties = new PropertyNames(names, depth == 0 ? _table : null);
        names.Attachment = properties;
        if (properties.FirstRenamed is { } renamed && !_warned)
        {
            _warned = true;
            warn(
                $"The field '{renamed.Field}' is called '{renamed.Property}' in the objects, because PowerShell does not "
                    + $"tell names apart by case, "
                    + "has no empty ones and keeps some for itself. Other fields may be renamed alike; -Raw gives the records as they are."
            );
        }

        return properties;
    }
}
