using System.Management.Automation;
using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Records;

namespace Lockstep.Variables;

/// <summary>Values of variables: JSON in the store, objects in the pipeline. One thread at a time.</summary>
/// <param name="warn">Called once, if a member of a value cannot keep its name.</param>
internal sealed class VariableValues(Action<string> warn)
{
    private readonly RecordSerializer _serializer = new();

    private readonly RecordReader _reader = new(
        new RecordObjectFactory(
            "",
            _ =>
                warn(
                    "Some members of a value have other names in the object, because PowerShell does not tell names apart "
                        + "by case; the property Json has the value as it is."
                ),
            null
        )
    );

    /// <exception cref="Errors.UnsuitableObjectException">The value contains something without a JSON form.</exception>
    /// <exception cref="InvalidOptionException">It is a script block.</exception>
    public string ToJson(object? value) =>
        (value is PSObject wrapped ? wrapped.BaseObject : value) is ScriptBlock
            ? throw new InvalidOptionException(
                "A variable's value is data, not a script block.",
                "Run it, as in (& { ... }), or give its text as a string."
            )
            : Encoding.UTF8.GetString(_serializer.SerializeValue("Value", value).Span);

    public object? ToObject(string? json) => json is null ? null : _reader.ReadAny(Encoding.UTF8.GetBytes(json));
}
