using System.Management.Automation;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Records;

/// <summary>Turns the records of one table into objects for the pipeline. One thread at a time.</summary>
internal sealed class RecordObjects
{
    private readonly RecordReader _reader;

    /// <param name="table">The table's name.</param>
    /// <param name="warn">Called once, if a field cannot keep its name.</param>
    /// <param name="properties">The only properties wanted, in this order, wildcards allowed; null for all.</param>
    /// <param name="fields">The fields of the table's records, as far as they are known.</param>
    public RecordObjects(
        string table,
        Action<string> warn,
        IReadOnlyList<string>? properties = null,
        IReadOnlyList<string>? fields = null
    ) => _reader = new RecordReader(new RecordObjectFactory(table, warn, properties, fields));

    /// <summary>The object for one record, given as its JSON in UTF-8.</summary>
    public PSObject Read(ReadOnlySpan<byte> json) => (PSObject)_reader.Read(json);

    /// <summary>The object for a scan's current record.</summary>
    /// <exception cref="LockstepException">What the table contains is not a record.</exception>
    public PSObject Read(IRecordScan scan)
    {
        try
        {
            return Read(scan.Json);
        }
        catch (JsonException)
        {
            _ = scan.CheckedJson;
            throw;
        }
    }

    /// <inheritdoc cref="Read(ReadOnlySpan{byte})"/>
    public PSObject Read(ReadOnlyMemory<byte> json) => Read(json.Span);
}
