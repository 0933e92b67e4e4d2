using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Sends records more than once.</summary>
[Description("Sends records more than once.")]
public sealed class DuplicateFault : Fault
{
    /// <summary>Which record of the response, counted from 1. Null: each.</summary>
    [Description("Which record of the response, counted from 1. Default: each.")]
    public int? AtRecord { get; init; }

    /// <summary>How many times more than once.</summary>
    [Description("How many copies follow it. Default: 1.")]
    public int Copies { get; init; } = 1;

    internal override string Describe() => $"Send {(AtRecord is { } record ? $"record {record}" : "each record")} {Copies + 1} times";

    internal override void Apply(FaultedResponse response) => response.AddToRecords(new Duplicate(this));

    internal override void Validate()
    {
        base.Validate();
        Positive(AtRecord, nameof(AtRecord));
        Positive(Copies, nameof(Copies));
    }

    private sealed class Duplicate(DuplicateFault fault) : RecordStage
    {
        public override bool MayHoldBack => false;

        protected override async ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken)
        {
            var times = (fault.AtRecord ?? number) == number ? fault.Copies + 1 : 1;
            for (var i = 0; i < times; i++)
                await Next.WriteAsync(record, cancellationToken).ConfigureAwait(false);
        }
    }
}
