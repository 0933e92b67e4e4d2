using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Lockstep.Gossip.Models;
using Lockstep.Pipeline;
using Lockstep.Records;

namespace Lockstep.Gossip;

/// <summary>Writes values and events of one model to the pipeline. Pipeline thread only.</summary>
/// <param name="cmdlet">The cmdlet to whose output it writes.</param>
/// <param name="model">The model's name.</param>
/// <param name="raw">Whether values are returned as JSON texts.</param>
internal sealed class ModelOutput(LockstepCmdlet cmdlet, string model, bool raw)
{
    private readonly RecordObjects _objects = new(model, cmdlet.WriteWarning);
    private readonly ArrayBufferWriter<byte> _record = new();

    /// <exception cref="JsonException">The value is nested too deep for an object.</exception>
    public void Write(ModelChange change) => cmdlet.WriteObject(ToModel(change));

    /// <summary>Writes only the value; an array stays a single object.</summary>
    /// <exception cref="JsonException">The value is nested too deep for an object.</exception>
    public void WriteValue(ModelChange change) => cmdlet.WriteObject(Read(change.Value));

    /// <exception cref="JsonException">An argument is nested too deep for an object.</exception>
    public void Write(GossipEvent happened) =>
        cmdlet.WriteObject(
            new ModelEvent(
                model,
                happened.Name,
                [.. happened.Arguments.Select(Read)],
                happened.Update.Source,
                happened.Update.Time.LocalDateTime
            )
        );

    private ModelValue ToModel(ModelChange change) =>
        new(model, change.Key, Read(change.Value), change.IsRemoved, change.Update.Source, change.Update.Time.LocalDateTime);

    /// <summary>The factory creates objects from records, so the value becomes a record's only field.</summary>
    private object? Read(JsonElement value)
    {
        var json = JsonMarshal.GetRawUtf8Value(value);
        if (raw)
            return Encoding.UTF8.GetString(json);

        _record.ResetWrittenCount();
        _record.Write("{\"value\":"u8);
        _record.Write(json);
        _record.Write("}"u8);
        return _objects.Read(_record.WrittenSpan).Properties["value"].Value;
    }
}
