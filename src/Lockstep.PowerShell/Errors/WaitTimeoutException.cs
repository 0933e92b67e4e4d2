using System.Globalization;
using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>The time ran out before a table reached the expected state.</summary>
internal sealed class WaitTimeoutException(string table, TimeSpan limit, string? state, string? lastError)
    : LockstepException(
        ErrorKind.Timeout,
        string.Create(
            CultureInfo.InvariantCulture,
            $"The table '{table}' did not get that far within {limit.TotalSeconds:0.###} s. {Why(state, lastError)}"
        ),
        "Check that a sync is running with Get-LockstepTable, or wait longer with -TimeoutSec."
    )
{
    private static string Why(string? state, string? lastError) =>
        (state is null ? "No sync of this session is running." : $"Its sync is in state {state}.")
        + (lastError is null ? "" : $" Last error: {lastError}");
}
