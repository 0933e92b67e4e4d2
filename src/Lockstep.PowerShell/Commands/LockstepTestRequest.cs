using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Pipeline;
using Lockstep.Sessions;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Lists the requests that a test server received, oldest first.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepTestRequest")]
[OutputType(typeof(TestRequestInfo))]
public sealed class GetLockstepTestRequestCommand : LockstepCmdlet
{
    /// <summary>The server; the only running one if none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>Only this many of the newest.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int Last { get; set; } = int.MaxValue;

    /// <summary>Only requests with a number above this one.</summary>
    [Parameter]
    public long After { get; set; }

    private protected override void Process()
    {
        // A lambda that captures the cmdlet would become one of its methods, and expose an engine type.
        var after = After;
        foreach (
            var request in (Server ?? SessionServers<TestServerInfo>.Current.Only)
                .Server.Server.Requests.Where(request => request.Number > after)
                .TakeLast(Last)
        )
        {
            WriteObject(request.ToModel());
        }
    }
}
