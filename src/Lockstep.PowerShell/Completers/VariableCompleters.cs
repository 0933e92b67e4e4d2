using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Engine;
using Lockstep.Parameters;
using Lockstep.Ticks;
using Lockstep.Variables;

namespace Lockstep.Completers;

/// <summary>Completes the names of variables in memory and in files; it connects to no server.</summary>
public sealed class VariableCompleter : IArgumentCompleter
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
        var text = (fakeBoundParameters["Store"] is PSObject wrapped ? wrapped.BaseObject : fakeBoundParameters["Store"]) switch
        {
            VariableStore given => given.Text,
            string { Length: > 0 } given => given,
            _ => VariableStore.Memory.Text,
        };
        var named = new VariableStore(text);
        try
        {
            ITickStore? store =
                named.IsMemory ? RunspaceMemory.Open(null)
                : named.IsFile ? new SqliteTickStore(FileSystemPath.ResolveLiteral(Completion.Paths, text))
                : null;
            return store is null
                ? []
                : Completion.Of(
                    wordToComplete,
                    store.ListAsync(CancellationToken.None).GetAwaiter().GetResult(),
                    Completion.TakesPatterns(commandName, parameterName)
                );
        }
        catch (LockstepException)
        {
            // No such store: there is nothing to complete.
            return [];
        }
    }
}

/// <summary>Completes the stores of variables that are files, and the session's memory. It contacts no server.</summary>
public sealed class VariableStoreCompleter : IArgumentCompleter
{
    private static ReadOnlySpan<byte> Magic => "SQLite format 3\0"u8;

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters
    ) =>
        [
            .. Completion.Of(wordToComplete, [VariableStore.Memory.Text]),
            .. FileCompletion.Of(wordToComplete, static file => HoldsVariables(file)),
        ];

    private static bool HoldsVariables(string path)
    {
        try
        {
            Span<byte> head = stackalloc byte[16];
            using (var file = File.OpenRead(path))
            {
                if (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length || !head.SequenceEqual(Magic))
                    return false;
            }

            return new SqliteTickStore(path).ListAsync(CancellationToken.None).GetAwaiter().GetResult().Count > 0;
        }
        catch (Exception error) when (error is LockstepException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
