using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Errors;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Records;

namespace Lockstep.Commands;

/// <summary>Reads the values of a model.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepModelValue")]
[OutputType(typeof(ModelValue), typeof(object))]
public sealed class GetLockstepModelValueCommand : ModelCmdlet
{
    private string? _key;

    /// <summary>The keys; all if none is given.</summary>
    [Parameter(Position = 1, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    [AllowEmptyString]
    [ValidateNotNull]
    public string[] Key { get; set; } = ["*"];

    /// <summary>Returns only the values.</summary>
    [Parameter]
    public SwitchParameter ValueOnly { get; set; }

    /// <summary>Returns the values as JSON texts, not objects.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    private protected override object? ErrorTarget => _key ?? base.ErrorTarget;

    private protected override void Process()
    {
        _key = null;
        var model = FindModel();
        var values = model.Values;
        var output = new ModelOutput(this, model.Name, Raw);
        Action<ModelChange> write = ValueOnly ? output.WriteValue : output.Write;
        foreach (var key in Key)
        {
            _key = key;
            Attempt(() =>
            {
                if (values.TryGet(key, out var exact) && !exact.IsRemoved)
                {
                    write(exact);
                    return;
                }

                if (!WildcardPattern.ContainsWildcardCharacters(key))
                    throw new ModelValueNotFoundException(model.Name, key);

                var pattern = WildcardPattern.Get(key, WildcardOptions.None);
                foreach (var matching in values.Keys.Where(pattern.IsMatch).Order(StringComparer.Ordinal))
                {
                    // A peer may have removed it since the keys were listed.
                    if (values.TryGet(matching, out var change) && !change.IsRemoved)
                        write(change);
                }
            });
        }
    }
}

/// <summary>Sets values of a model; its peers receive them at once.</summary>
[Cmdlet(VerbsCommon.Set, "LockstepModelValue", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(ModelValue), ParameterSetName = [nameof(PassThru)])]
public sealed class SetLockstepModelValueCommand : ModelCmdlet
{
    private readonly RecordSerializer _serializer = new();

    /// <summary>The key. It is case-sensitive.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [AllowEmptyString]
    public string Key { get; set; } = "";

    /// <summary>The value: anything that a record's field may be. Null removes the key.</summary>
    [Parameter(Mandatory = true, Position = 2, ValueFromPipelineByPropertyName = true)]
    [AllowNull]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public object? Value { get; set; }

    /// <summary>Returns what was set.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override object? ErrorTarget => Key;

    private protected override void Process()
    {
        var model = FindModel();
        var values = model.Values;
        var json = _serializer.SerializeValue(Key, Value);
        if (!ShouldProcess($"{model.Name}: {Key}", "Set the value"))
            return;

        model.Set(Key, json);
        if (PassThru && values.TryGet(Key, out var change))
            new ModelOutput(this, model.Name, raw: false).Write(change);
    }
}

/// <summary>Removes values of a model, here and from its peers.</summary>
[Cmdlet(VerbsCommon.Remove, "LockstepModelValue", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class RemoveLockstepModelValueCommand : ModelCmdlet
{
    private string? _key;

    /// <summary>The keys. They are case-sensitive.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [AllowEmptyString]
    public string[] Key { get; set; } = [];

    private protected override object? ErrorTarget => _key ?? base.ErrorTarget;

    private protected override void Process()
    {
        _key = null;
        var model = FindModel();
        var values = model.Values;
        foreach (var key in Key)
        {
            _key = key;
            Attempt(() =>
            {
                if (!values.TryGet(key, out var value) || value.IsRemoved)
                    throw new ModelValueNotFoundException(model.Name, key);

                if (ShouldProcess($"{model.Name}: {key}", "Remove the value"))
                    model.Set(key, "null"u8.ToArray());
            });
        }
    }
}
