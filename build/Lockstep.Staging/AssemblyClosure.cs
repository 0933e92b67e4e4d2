using Mono.Cecil;

namespace Lockstep.Staging;

/// <summary>Which assemblies of a shared framework a set of assemblies needs, directly or through others of that framework.</summary>
/// <remarks>
/// It follows the references in the metadata, whether or not a run would load them: shipping only what was seen
/// loaded breaks on the first path of code that the trial did not take.
/// </remarks>
internal static class AssemblyClosure
{
    /// <param name="roots">Paths of the assemblies that ship anyway.</param>
    /// <param name="framework">Where further assemblies are taken from.</param>
    /// <param name="runtime">The framework that every host has; what it holds is never taken.</param>
    /// <returns>Full paths into <paramref name="framework"/>, ordered by name, without the roots.</returns>
    public static IReadOnlyList<string> Compute(IEnumerable<string> roots, SharedFramework framework, SharedFramework runtime)
    {
        var pending = new Stack<string>(roots);
        var known = new HashSet<string>(pending.Select(Path.GetFileNameWithoutExtension)!, StringComparer.OrdinalIgnoreCase);
        var taken = new SortedSet<string>(StringComparer.Ordinal);
        while (pending.TryPop(out var path))
        {
            foreach (var name in References(path))
            {
                if (!runtime.Contains(name) && framework.Find(name) is { } found && known.Add(name))
                {
                    taken.Add(found);
                    pending.Push(found);
                }
            }
        }

        return [.. taken];
    }

    /// <summary>The simple names that an assembly's metadata refers to.</summary>
    public static IReadOnlyList<string> References(string path)
    {
        using var module = ModuleDefinition.ReadModule(path);
        return [.. module.AssemblyReferences.Select(reference => reference.Name)];
    }
}
