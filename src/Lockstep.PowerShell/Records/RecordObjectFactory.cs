using System.Management.Automation;
using Lockstep.Engine.Records;

namespace Lockstep.Records;

/// <summary>Makes the objects of the pipeline from records: one note property per field, in the record's order.</summary>
/// <param name="table">The table's name, for the type name <c>Lockstep.Record#table</c>.</param>
/// <param name="warn">Called once, with the first field that had to be named otherwise.</param>
internal sealed class RecordObjectFactory(string table, Action<string> warn) : IRecordFactory
{
    private readonly RecordTypeNames _typeNames = new($"Lockstep.Record#{table}", "Lockstep.Record");
    private bool _warned;

    public object Create(FieldNames names, ReadOnlySpan<object?> values, int depth)
    {
        var properties = names.Attachment as PropertyNames ?? Attach(names);
        var record = PSObjectAccess.WithCapacity(values.Length);
        if (depth == 0)
            _typeNames.ApplyTo(record);

        // The names have been looked at: not reserved, not empty, no two the same.
        var members = record.Properties;
        for (var i = 0; i < values.Length; i++)
            members.Add(new FieldProperty(properties[i], values[i]), preValidated: true);

        return record;
    }

    private PropertyNames Attach(FieldNames names)
    {
        var properties = new PropertyNames(names);
        names.Attachment = properties;
        if (properties.FirstRenamed is { } renamed && !_warned)
        {
            _warned = true;
            warn($"The field '{renamed.Field}' is called '{renamed.Property}' in the objects, because PowerShell does not tell names apart by case, "
                + "has no empty ones and keeps some for itself. Other fields may be renamed alike; -Raw gives the records as they are.");
        }

        return properties;
    }
}
