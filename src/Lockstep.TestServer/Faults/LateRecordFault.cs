using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Holds a record back and sends it after later ones, so that a lower cursor follows a higher one.</summary>
[Description("Holds a record back and sends it behind later ones: a lower cursor follows a higher one.")]
public sealed class LateRecordFault : Fault
{
    /// <summary>Which record of the response, counted from 1.</summary>
    [Description("Which record of the response, counted from 1. Default: 1.")]
    public int AtRecord { get; init; } = 1;

    /// <summary>After how many later ones it is sent; at the end of a body at the latest.</summary>
    [Description("How many later ones it is sent after; at the end of a body at the latest. Default: 1.")]
    public int By { get; init; } = 1;

    internal override string Describe() => $"Send record {AtRecord} after {By} later ones";

    internal override void Apply(FaultedResponse response) => response.AddToRecords(new Late(this));

    internal override void Validate()
    {
        base.Validate();
        Positive(AtRecord, nameof(AtRecord));
        Positive(By, nameof(By));
    }

    private sealed class Late(LateRecordFault fault) : RecordStage
    {
        private Piece? _held;

        public override async ValueTask EndAsync(CancellationToken cancellationToken)
        {
            await ReleaseAsync(cancellationToken).ConfigureAwait(false);
            await base.EndAsync(cancellationToken).ConfigureAwait(false);
        }

        protected override async ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken)
        {
            if (number == fault.AtRecord)
            {
                _held = record;
                return;
            }
            await Next.WriteAsync(record, cancellationToken).ConfigureAwait(false);
            if (number == fault.AtRecord + fault.By)
                await ReleaseAsync(cancellationToken).ConfigureAwait(false);
        }

        private ValueTask ReleaseAsync(CancellationToken cancellationToken)
        {
            var held = _held;
            _held = null;
            return held is { } record ? Next.WriteAsync(record, cancellationToken) : default;
        }
    }
}
