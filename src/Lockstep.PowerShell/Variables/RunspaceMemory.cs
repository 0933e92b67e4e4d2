using System.Management.Automation.Runspaces;
using System.Runtime.CompilerServices;
using Lockstep.Ticks;

namespace Lockstep.Variables;

/// <summary>The stores called <c>memory</c>: one per runspace, which lives as long as the runspace. Thread-safe.</summary>
internal static class RunspaceMemory
{
    private static readonly ConditionalWeakTable<Runspace, MemoryTickStore> Stores = [];

    /// <summary>That of this thread's runspace.</summary>
    /// <param name="settings">Its settings if this is its first use; null for the defaults.</param>
    public static MemoryTickStore Open(TickSettings? settings) =>
        Stores.GetValue(Runspace.DefaultRunspace, _ => new MemoryTickStore(settings));
}
