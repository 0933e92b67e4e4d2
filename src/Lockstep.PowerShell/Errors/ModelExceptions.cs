using Lockstep.Engine;

namespace Lockstep.Errors;

/// <summary>No model was named and there is not exactly one, or the named one does not exist.</summary>
internal sealed class ModelNotFoundException(string message, Remedy remedy) : LockstepException(ErrorKind.NotFound, message, remedy)
{
    /// <summary>None was named.</summary>
    public static ModelNotFoundException NotOne(IReadOnlyList<string> models) =>
        new(
            models.Count == 0 ? "This session has no model." : $"This session has several models: {string.Join(", ", models)}.",
            models.Count == 0 ? "Make one with New-LockstepModel." : "Name one with -Model, or pipe it in from Get-LockstepModel."
        );

    /// <summary>This one was named.</summary>
    public static ModelNotFoundException Named(string name) =>
        new($"This session has no model named '{name}'.", "Get-LockstepModel lists those it has; New-LockstepModel makes one.");
}

/// <summary>Two models of a session, or of a listener, cannot share a name.</summary>
internal sealed class ModelNameInUseException(string name)
    : LockstepException(
        ErrorKind.Conflict,
        $"A model named '{name}' already exists.",
        "Choose another name with -Name, or end the other model with Remove-LockstepModel."
    );

/// <summary>A key has no value.</summary>
internal sealed class ModelValueNotFoundException(string model, string key)
    : LockstepException(
        ErrorKind.NotFound,
        $"The model '{model}' has no value for the key '{key}'.",
        "Get-LockstepModelValue without -Key lists what it has. A value that a peer has set may be on its way: see "
            + "Wait-LockstepModel -Synced."
    );

/// <summary>No listener was named, and there is not exactly one.</summary>
internal sealed class ModelListenerNotFoundException(IReadOnlyList<Uri> listeners)
    : LockstepException(
        ErrorKind.NotFound,
        listeners.Count == 0
            ? "No model listener runs in this session."
            : $"Several model listeners run in this session: {string.Join(", ", listeners)}.",
        listeners.Count == 0
            ? "Start one with Start-LockstepModelListener."
            : "Name one with -Listener, or pipe it in from Get-LockstepModelListener."
    );

/// <summary>A wait for a model that has no peers.</summary>
internal sealed class ModelNotConnectedException(string model)
    : LockstepException(
        ErrorKind.InvalidState,
        $"The model '{model}' is neither connected nor offered by a listener.",
        "Use Connect-LockstepModel or Start-LockstepModelListener first."
    );

/// <summary>A model did not sync in time.</summary>
internal sealed class ModelSyncTimeoutException(string model, TimeSpan limit, string? reason)
    : LockstepException(
        ErrorKind.Timeout,
        $"The model '{model}' was not in sync after {limit.TotalSeconds:0.###} seconds{(reason is null ? "" : $": {reason}")}",
        "See what (Get-LockstepModel).Connection says, or wait longer with -TimeoutSec."
    );
