using System.Management.Automation;
using Lockstep.Engine.Sync;
using Lockstep.Errors;
using Lockstep.Records;

namespace Lockstep.Sync;

/// <summary>
/// Lets a script block rewrite records before they are applied: it returns one object with the same key, or nothing to skip the record.
/// </summary>
internal sealed class RecordTransform(ScriptBlock script)
{
    private readonly RecordScript _script = new(script);
    private readonly RecordSerializer _serializer = new();

    /// <param name="record">The record, in which the outcome is stored.</param>
    /// <param name="objects">Creates the object that the script block sees.</param>
    /// <exception cref="TransformException">The script block threw, or returned something else. (The key is checked by the
    /// engine.)</exception>
    public void Apply(TransformableRecord record, RecordObjects objects)
    {
        var output = _script.Invoke(objects.Read(record.Record), thrown => new TransformException(record.Key, thrown.Message.TrimEnd('.')));
        if (output.Count == 0)
            record.Skip();
        else if (output.Count == 1)
            record.Replace(Serialize(record, output[0]));
        else
            throw new TransformException(record.Key, $"it returned {output.Count} objects");
    }

    private byte[] Serialize(TransformableRecord record, PSObject output)
    {
        try
        {
            return _serializer.Serialize(output).ToArray();
        }
        catch (UnsuitableObjectException unsuitable)
        {
            throw new TransformException(record.Key, unsuitable.Message.TrimEnd('.'));
        }
    }
}
