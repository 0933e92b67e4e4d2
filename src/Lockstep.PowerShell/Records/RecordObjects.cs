using System.Management.Automation;
using Lockstep.Engine.Records;

namespace Lockstep.Records;

/// <summary>Turns the records of one table into objects for the pipeline. One thread at a time.</summary>
internal sealed class RecordObjects
{
    private readonly RecordReader _reader;

    /// <param name="table">The table's name.</param>
    /// <param name="warn">Called once, if a field cannot keep its name.</param>
    public RecordObjects(string table, Action<string> warn) => _reader = new RecordReader(new RecordObjectFactory(table, warn));

    /// <summary>The object for one record, given as its JSON in UTF-8.</summary>
    public PSObject Read(ReadOnlyMemory<byte> json) => (PSObject)_reader.Read(json.Span);
}
