using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Sessions;
using Lockstep.TestServers;

namespace Lockstep;

/// <summary>Completes the ids of the faults that a test server has, or all of the session where none is named.</summary>
public sealed class FaultIdCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    )
    {
        var named =
            (fakeBoundParameters["Server"] is PSObject wrapped ? wrapped.BaseObject : fakeBoundParameters["Server"]) as TestServerInfo;
        var servers = named is null ? SessionServers<TestServerInfo>.Current.Running : [named];
        return Completion.Of(wordToComplete, servers.SelectMany(server => server.Server.Server.Faults).Select(fault => fault.Id));
    }
}
