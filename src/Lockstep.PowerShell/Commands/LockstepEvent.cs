using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Gossip;
using Lockstep.Gossip.Models;
using Lockstep.Records;

namespace Lockstep.Commands;

/// <summary>Sends an event through a model of events: every node receives it once.</summary>
[Cmdlet(VerbsCommunications.Send, "LockstepEvent", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(ModelEvent), ParameterSetName = [nameof(PassThru)])]
public sealed class SendLockstepEventCommand : ModelCmdlet
{
    private readonly RecordSerializer _serializer = new();

    /// <summary>The event's name.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [AllowEmptyString]
    public string Name { get; set; } = "";

    /// <summary>The event's arguments: anything that a record's field may be.</summary>
    [Parameter(Position = 2, ValueFromPipelineByPropertyName = true, ValueFromRemainingArguments = true)]
    [AllowNull]
    [AllowEmptyCollection]
    public object?[]? Argument { get; set; } = [];

    /// <summary>Returns the event.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override object? ErrorTarget => Name;

    private protected override void Process()
    {
        var model = FindModel();
        var arguments = Argument ?? [];
        List<ReadOnlyMemory<byte>> json =
        [
            .. arguments.Select((argument, i) => (ReadOnlyMemory<byte>)_serializer.SerializeValue($"Argument {i + 1}", argument).ToArray()),
        ];
        _ = model.Events;
        if (!ShouldProcess($"{model.Name}: {Name}", "Send the event"))
            return;

        var sent = model.Emit(Name, json);
        if (PassThru)
            WriteObject(new ModelEvent(model.Name, Name, arguments, sent.Source, sent.Time.LocalDateTime));
    }
}

/// <summary>Returns the events that a model has, in order of time, and with -Follow new ones too.</summary>
[Cmdlet(VerbsCommunications.Receive, "LockstepEvent")]
[OutputType(typeof(ModelEvent))]
public sealed class ReceiveLockstepEventCommand : ModelCmdlet
{
    /// <summary>Only events with these names.</summary>
    [Parameter(Position = 1)]
    [SupportsWildcards]
    public string[] Name { get; set; } = [];

    /// <summary>Continues with new events until Ctrl+C or until the model is removed.</summary>
    [Parameter]
    public SwitchParameter Follow { get; set; }

    /// <summary>Leaves out the events that the model already has; implies -Follow.</summary>
    [Parameter]
    public SwitchParameter NewOnly { get; set; }

    /// <summary>Returns the arguments as JSON texts, not objects.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    private protected override void Process()
    {
        var model = FindModel();
        var output = new ModelOutput(this, model.Name, Raw);
        var gaps = new EventGaps(this, model.Events);
        WildcardPattern[] patterns = [.. Name.Select(name => WildcardPattern.Get(name, WildcardOptions.None))];
        Action<GossipEvent> take = happened =>
        {
            gaps.Warn();
            if (patterns.Length == 0 || Array.Exists(patterns, pattern => pattern.IsMatch(happened.Name)))
                Attempt(() => output.Write(happened));
        };
        if (Follow || NewOnly)
        {
            Pump(model.Events.ReceiveAsync(!NewOnly, StopToken), take);
            return;
        }

        foreach (var happened in model.Events.GetEvents())
        {
            StopToken.ThrowIfCancellationRequested();
            take(happened);
        }
    }
}
