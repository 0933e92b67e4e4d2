using System.ComponentModel;
using Lockstep.TestServer.Faults.Stages;

namespace Lockstep.TestServer.Faults;

/// <summary>Sends records out of order, within windows. A pause of the feed ends a window, so that nothing is held back.</summary>
[Description("Sends records out of order, within windows.")]
public sealed class ReorderFault : Fault
{
    /// <summary>How many records are mixed with each other.</summary>
    [Description("How many records are mixed with each other. Default: 2.")]
    public int Window { get; init; } = 2;

    /// <summary>Shuffles each window by a generator with this seed. Null: each window is reversed.</summary>
    [Description("Shuffles each window by a generator with this seed. Default: each window is reversed.")]
    public int? Seed { get; init; }

    internal override string Describe() => $"{(Seed is null ? "Reverse" : "Shuffle")} every {Window} records";

    internal override void Apply(FaultedResponse response) => response.AddToRecords(new Reorder(this));

    internal override void Validate()
    {
        base.Validate();
        if (Window < 2)
            throw new ArgumentException($"Window must be at least 2, not {Window}.");
    }

    private sealed class Reorder(ReorderFault fault) : RecordStage
    {
        private readonly List<Piece> _held = [];
        private readonly Random? _random = fault.Seed is { } seed ? new Random(seed) : null;

        public override async ValueTask FlushAsync(CancellationToken cancellationToken)
        {
            await ReleaseAsync(cancellationToken).ConfigureAwait(false);
            await base.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        public override async ValueTask EndAsync(CancellationToken cancellationToken)
        {
            await ReleaseAsync(cancellationToken).ConfigureAwait(false);
            await base.EndAsync(cancellationToken).ConfigureAwait(false);
        }

        protected override ValueTask RecordAsync(Piece record, int number, CancellationToken cancellationToken)
        {
            _held.Add(record);
            return _held.Count < fault.Window ? default : ReleaseAsync(cancellationToken);
        }

        private async ValueTask ReleaseAsync(CancellationToken cancellationToken)
        {
            Piece[] window = [.. _held];
            _held.Clear();
            if (_random is null)
                Array.Reverse(window);
            else
                _random.Shuffle(window);
            foreach (var record in window)
                await Next.WriteAsync(record, cancellationToken).ConfigureAwait(false);
        }
    }
}
