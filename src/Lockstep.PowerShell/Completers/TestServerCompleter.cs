using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Sessions;
using Lockstep.TestServers;

namespace Lockstep;

/// <summary>Completes the session's test servers: a server is an object, so what is typed is a way to get it.</summary>
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
