using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Records;

namespace Lockstep.Errors;

/// <summary>The script block that provides a token threw.</summary>
internal sealed class TokenProviderException(RuntimeException thrown)
    : LockstepException(
        ErrorKind.AccessDenied,
        $"-TokenProvider failed: {thrown.Message}",
        "Return a token from the script block, as text or SecureString, or nothing.",
        thrown
    );

/// <summary>The script block that observes a sync threw.</summary>
internal sealed class CallbackException(RecordKey key, RuntimeException thrown)
    : LockstepException(
        ErrorKind.InvalidState,
        $"-Callback failed at the record {key}: {thrown.Message}",
        "Correct the script block and sync again. The record is already in the table: Get-LockstepRecord -Since reads what a "
            + "callback has missed.",
        thrown
    );
