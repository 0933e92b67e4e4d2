using Mono.Cecil;

namespace Lockstep.Staging;

/// <summary>
/// Copies an assembly as plain IL. A shared framework's own files carry machine code for one platform beside
/// the IL (ReadyToRun) and are refused by every other; without it one file serves all, at half the size.
/// </summary>
internal static class PortableCopy
{
    /// <summary>Writes the copy, unless <paramref name="target"/> already is one of this very source by this very tool.</summary>
    public static void Refresh(string source, string target)
    {
        using var module = ModuleDefinition.ReadModule(source);
        if (IsCurrent(module, target))
            return;

        module.Attributes = ModuleAttributes.ILOnly;
        module.Architecture = TargetArchitecture.I386;
        // Written beside it and renamed: a build that is cut short leaves no half assembly that looks current.
        var unfinished = target + ".unfinished";
        module.Write(unfinished);
        File.Move(unfinished, target, overwrite: true);
    }

    private static bool IsCurrent(ModuleDefinition module, string target)
    {
        var tool = typeof(PortableCopy).Assembly.Location;
        if (!File.Exists(target) || File.GetLastWriteTimeUtc(target) < File.GetLastWriteTimeUtc(tool))
            return false;

        // The module version id names the compilation; Cecil keeps it, so that a copy can be told by it.
        using var copy = ModuleDefinition.ReadModule(target);
        return copy.Mvid == module.Mvid;
    }
}
