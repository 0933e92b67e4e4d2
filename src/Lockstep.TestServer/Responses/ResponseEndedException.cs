using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServer.Responses;

/// <summary>A fault ended the response: what it let through is sent, and the connection is to end so.</summary>
internal sealed class ResponseEndedException(CutKind how, RequestEnding ending) : Exception("A fault ended the response.")
{
    public CutKind How { get; } = how;

    public RequestEnding Ending { get; } = ending;
}
