using System.Management.Automation;
using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>The script block that gets a token has thrown.</summary>
internal sealed class TokenProviderException(RuntimeException thrown)
    : LockstepException(
        ErrorKind.AccessDenied,
        $"-TokenProvider failed: {thrown.Message}",
        "Return a token from the script block, as text or SecureString, or nothing.",
        thrown
    );
