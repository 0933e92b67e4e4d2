using System.Management.Automation;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Lockstep.Records;

/// <summary>
/// Faster ways to create objects than the reference assembly exposes. Each is tried once; if PowerShell lacks it, the public way does the
/// same at half the speed.
/// </summary>
internal static class PSObjectAccess
{
    private const string TypeNameList = "System.Management.Automation.Runspaces.ConsolidatedString, System.Management.Automation";

    private static readonly bool HasCapacity = Works(() => New(1));
    private static readonly bool HasSharedTypeNames = Works(() => SetTypeNames(new PSObject(), NewTypeNames(["a"], interned: true)));

    private static readonly Func<PSObject, PSMemberInfoCollection<PSMemberInfo>>? InstanceMembers = Method(
        typeof(PSObject),
        "get_InstanceMembers"
    )
        ?.CreateDelegate<Func<PSObject, PSMemberInfoCollection<PSMemberInfo>>>();

    private static readonly Action<PSMemberInfo, object>? SetOwner = Method(typeof(PSMemberInfo), "ReplicateInstance")
        ?.CreateDelegate<Action<PSMemberInfo, object>>();

    /// <summary>
    /// An object's own members, for <see cref="Add"/>; null if PowerShell has no such list. The public way also announces to all of
    /// PowerShell that objects have a property of this name, for each property of each object; once is enough.
    /// </summary>
    public static PSMemberInfoCollection<PSMemberInfo>? OwnMembers(PSObject target) =>
        SetOwner is null ? null : InstanceMembers?.Invoke(target);

    /// <summary>Adds a property without copying it; another object must already have got its name in the public way.</summary>
    /// <param name="members">The target's <see cref="OwnMembers"/>.</param>
    /// <param name="target">The object.</param>
    /// <param name="property">The property, which no other object has.</param>
    public static void Add(PSMemberInfoCollection<PSMemberInfo> members, PSObject target, PSNoteProperty property)
    {
        SetOwner!(property, target);
        members.Add(property, preValidated: true);
    }

    /// <summary>
    /// An empty object with capacity for this many properties. (Public in PowerShell 7; only the reference assembly is older.)
    /// </summary>
    public static PSObject WithCapacity(int properties) => HasCapacity ? New(properties) : new PSObject();

    /// <summary>A list of type names that many objects can share; null if PowerShell has none.</summary>
    public static object? ShareableTypeNames(IEnumerable<string> names) => HasSharedTypeNames ? NewTypeNames(names, interned: true) : null;

    /// <summary>
    /// Gives an object a list made by <see cref="ShareableTypeNames"/>. Changing the names of one object then copies the list.
    /// </summary>
    public static void ShareTypeNames(PSObject target, object names) => SetTypeNames(target, names);

    private static MethodInfo? Method(Type type, string name) => type.GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic);

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
