using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Sessions;
using Lockstep.TestServer.Faults;

namespace Lockstep.Completers;

/// <summary>Completes the session's test servers: a server is an object, so it offers expressions that return one.</summary>
public sealed class TestServerCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) =>
        SessionServers<TestServerInfo>
            .Current.Running.Where(server =>
                server.Port.ToString(CultureInfo.InvariantCulture).StartsWith(wordToComplete ?? "", StringComparison.Ordinal)
            )
            .Select(server => new CompletionResult(
                $"(Get-LockstepTestServer | Where-Object Port -EQ {server.Port})",
                $"{server.FeedUri}",
                CompletionResultType.ParameterValue,
                $"{server.Feed} at {server.FeedUri}"
            ));
}

/// <summary>Completes the names of the kinds of fault.</summary>
public sealed class FaultKindCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) => Completion.Of(wordToComplete, FaultKinds.All.Select(kind => kind.Name));
}

/// <summary>Completes the ids of a test server's faults, or of all faults in the session if no server is named.</summary>
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
        return Completion.Of(
            wordToComplete,
            servers.SelectMany(server => server.Server.Server.Faults).Select(fault => fault.Id),
            Completion.TakesPatterns(commandName, parameterName)
        );
    }
}
