using System.Collections.Concurrent;
using System.Management.Automation.Runspaces;

namespace Lockstep.Sessions;

/// <summary>What a runspace has running, and what ends with it.</summary>
internal interface IRunspaceState
{
    /// <summary>Ends everything. Called once, from whichever thread closes the runspace; nothing is added afterwards.</summary>
    void Close();
}

/// <summary>
/// One state for each runspace, created when first requested. It is closed when its runspace closes, or the module is removed there; those
/// of other runspaces continue. Thread-safe.
/// </summary>
internal static class PerRunspace<T>
    where T : class, IRunspaceState, new()
{
    private static readonly ConcurrentDictionary<Guid, T> All = new();

    /// <summary>The state of this thread's runspace.</summary>
    public static T Current => All.GetOrAdd(Runspace.DefaultRunspace.InstanceId, _ => Follow(Runspace.DefaultRunspace));

    /// <summary>Closes the state of this thread's runspace.</summary>
    public static void CloseCurrent()
    {
        if (Runspace.DefaultRunspace is { } runspace)
            Close(runspace);
    }

    private static T Follow(Runspace runspace)
    {
        runspace.StateChanged += (_, change) =>
        {
            if (change.RunspaceStateInfo.State is RunspaceState.Closing or RunspaceState.Closed or RunspaceState.Broken)
                Close(runspace);
        };
        return new T();
    }

    private static void Close(Runspace runspace)
    {
        if (All.TryRemove(runspace.InstanceId, out var state))
            state.Close();
    }
}
