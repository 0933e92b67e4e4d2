using System.Runtime.CompilerServices;

namespace Lockstep.Engine;

/// <summary>How the methods that run for each record are compiled: <c>[MethodImpl(HotCode.Options)]</c>.</summary>
internal static class HotCode
{
    /// <summary>
    /// With full optimization on the first call, because a first sync is often over before the runtime finds out which methods are
    /// worth it. But what is marked so is left out when an assembly is compiled ahead of time, together with what only it calls.
    /// </summary>
    public const MethodImplOptions Options =
#if COMPILED_AHEAD
        0;
#else
    MethodImplOptions.AggressiveOptimization;
#endif

    /// <summary>Whether they were compiled before the program started.</summary>
    public static bool IsCompiledAhead => Options == 0;
}
