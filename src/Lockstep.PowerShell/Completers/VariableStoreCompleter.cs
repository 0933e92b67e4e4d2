using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Lockstep.Engine;
using Lockstep.Ticks;

namespace Lockstep;

/// <summary>Completes the stores of variables that are files, and the session's memory. A server is not asked.</summary>
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
