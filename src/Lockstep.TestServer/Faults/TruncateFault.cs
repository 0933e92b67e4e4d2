using System.ComponentModel;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults.Stages;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;

namespace Lockstep.TestServer.Faults;

/// <summary>Ends the body early and properly: its framing says that it is complete, its last record may be torn.</summary>
[Description("Ends the body early and properly, as if it were whole.")]
public sealed class TruncateFault : PositionedFault
{
    internal override string Describe() => $"End the body as if it were whole {Position}";

    internal override void Apply(FaultedResponse response) => response.AddToBody(new Truncate(this));

    internal override void Validate()
    {
        base.Validate();
        if (Of == ByteCount.Response)
        {
            throw new ArgumentException(
                "Truncate ends the body, so that its position counts bytes of the body. Cut can end a response anywhere."
            );
        }
    }

    private sealed class Truncate(TruncateFault fault) : PositionedStage(fault.Position)
    {
        protected override async ValueTask ActAsync(CancellationToken cancellationToken)
        {
            await Next.EndAsync(cancellationToken).ConfigureAwait(false);
            throw new ResponseEndedException(CutKind.Fin, RequestEnding.Completed);
        }
    }
}
