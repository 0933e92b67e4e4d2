using System.Reflection;
using System.Runtime.CompilerServices;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Sync;

/// <summary>
/// Compiles the code that runs for each record while the first sync of a session is still connecting, unless the engine was compiled ahead
/// of time: the runtime compiles those methods with full optimization, which takes a while.
/// </summary>
internal static class EngineWarmup
{
    private const BindingFlags Own =
        BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The types of those methods, in the order in which a record passes them.</summary>
    internal static readonly Type[] Hot =
    [
        typeof(BodyParser),
        typeof(RecordParser),
        typeof(RoutingReader),
        typeof(RecordTemplate),
        typeof(JsonScanner),
        typeof(JsonLexer),
        typeof(JsonItem),
        typeof(FieldCatalog),
        typeof(RecordBatch),
        typeof(FrameReader),
        typeof(ObjectScanner),
        typeof(KeySort),
        typeof(RowApplier),
    ];

    private static int _begun;

    /// <summary>Starts in the background, on the first call. Any thread.</summary>
    public static void Begin()
    {
        if (!HotCode.IsCompiledAhead && Interlocked.Exchange(ref _begun, 1) == 0 && Environment.ProcessorCount > 1)
            _ = Task.Run(CompileHot);
    }

    private static void CompileHot()
    {
        foreach (var method in Hot.SelectMany(type => type.GetMethods(Own)))
        {
            if ((method.MethodImplementationFlags & MethodImplAttributes.AggressiveOptimization) != 0)
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
        }
    }
}
