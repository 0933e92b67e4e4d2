using System.ComponentModel;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Faults;

/// <summary>Ends the connection in the middle of a response.</summary>
[Description("Ends the connection in the middle of a response, with a FIN or a RST.")]
public sealed class CutFault : PositionedFault
{
    /// <summary>FIN by default.</summary>
    [Description("Fin: the client gets what was sent, then the end. Reset: it gets an error.")]
    public CutKind How { get; init; }

    internal override string Describe() => $"Cut the connection ({(How == CutKind.Fin ? "FIN" : "RST")}) {Position}";

    internal override void Apply(FaultedResponse response) => response.AddToWire(new Cut(this));

    private sealed class Cut(CutFault fault) : PositionedStage(fault.Position)
    {
        protected override async ValueTask ActAsync(CancellationToken cancellationToken)
        {
            await Next.FlushAsync(cancellationToken).ConfigureAwait(false);
            throw new ResponseEndedException(fault.How, RequestEnding.Cut);
        }
    }
}
