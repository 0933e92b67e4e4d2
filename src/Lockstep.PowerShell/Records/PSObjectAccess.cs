using System.Management.Automation;
using System.Runtime.CompilerServices;

namespace Lockstep.Records;

/// <summary>
/// Faster ways to make objects than the reference assembly shows. Each is tried once; a PowerShell that
/// lacks it gets the public way, which does the same at half the speed.
/// </summary>
internal static class PSObjectAccess
{
    private const string TypeNameList = "System.Management.Automation.Runspaces.ConsolidatedString, System.Management.Automation";

    private static readonly bool HasCapacity = Works(() => New(1));
    private static readonly bool HasSharedTypeNames = Works(() => SetTypeNames(new PSObject(), NewTypeNames(["a"], interned: true)));

    /// <summary>An empty object with room for so many properties. (Public in PowerShell 7; only the reference assembly is older.)</summary>
    public static PSObject WithCapacity(int properties) => HasCapacity ? New(properties) : new PSObject();

    /// <summary>A list of type names that many objects can share; null when PowerShell has none.</summary>
    public static object? ShareableTypeNames(IEnumerable<string> names) => HasSharedTypeNames ? NewTypeNames(names, interned: true) : null;

    /// <summary>
    /// Gives an object a list made by <see cref="ShareableTypeNames"/>. Changing the names of one object then copies the list.
    /// </summary>
    public static void ShareTypeNames(PSObject target, object names) => SetTypeNames(target, names);

    private static bool Works(Action attempt)
    {
        try
        {
            attempt();
            return true;
        }
        catch (Exception missing) when (missing is MissingMemberException or TypeLoadException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    private static extern PSObject New(int instanceMemberCapacity);

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    [return: UnsafeAccessorType(TypeNameList)]
    private static extern object NewTypeNames(IEnumerable<string> strings, bool interned);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_InternalTypeNames")]
    private static extern void SetTypeNames(PSObject target, [UnsafeAccessorType(TypeNameList)] object names);
}
