using System.Reflection;
using System.Runtime.CompilerServices;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Sync;

/// <summary>
/// Has what runs for each record compiled while the first sync of a session still connects: those methods are compiled as well as
/// the runtime can, which takes it a while, and nothing compiles them ahead.
/// </summary>
internal static class EngineWarmup
{
    private const BindingFlags Own =
        BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>Whose methods those are, in the order in which a record comes by.</summary>
    internal static readonly Type[] Hot =
    [
        typeof(BodyParser),
        typeof(RecordParser),
        typeof(RoutingReader),
        typeof(RecordTemplate),
        typeof(JsonScanner),
        typeof(JsonLexer),
        typeof(FieldCatalog),
        typeof(RecordBatch),
        typeof(FrameReader),
        typeof(ObjectScanner),
        typeof(KeySort),
        typeof(RowApplier),
    ];

    private static int _begun;

    /// <summary>Begins in the background, the first time that it is called. Any thread.</summary>
    public static void Begin()
    {
        if (Interlocked.Exchange(ref _begun, 1) == 0 && Environment.ProcessorCount > 1)
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
