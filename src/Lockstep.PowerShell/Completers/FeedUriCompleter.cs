using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Sessions;
using Lockstep.Tables;

namespace Lockstep.Completers;

/// <summary>
/// Completes the known feeds: those of the session's test servers, and of tables that have been synced. It contacts none of them.
/// </summary>
public sealed class FeedUriCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) =>
        Completion.Of(
            wordToComplete,
            SessionServers<TestServerInfo>
                .Current.Running.Select(server => server.FeedUri)
                .Concat(TableLookup.All(Completion.Paths).Select(table => FoundTable.OfFile(table.Path).Describe().Uri).OfType<Uri>())
                .Select(uri => uri.ToString())
        );
}
