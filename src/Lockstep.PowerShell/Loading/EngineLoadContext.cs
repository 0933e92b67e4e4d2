using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Lockstep.Loading;

/// <summary>
/// Isolates the engine and every third-party assembly of the module from those of PowerShell and of other modules, so that two modules may
/// bring different versions of one assembly. Only the thin cmdlet assembly is in the default context.
/// </summary>
/// <remarks>
/// It is never collected: tables and servers of the session live in it, and a second import of the module finds it again. It searches its
/// folders itself, because <see cref="AssemblyDependencyResolver"/> needs a host that can resolve dependency files, and not every program
/// that embeds PowerShell is one.
/// </remarks>
internal sealed class EngineLoadContext : AssemblyLoadContext
{
    // The cmdlet assembly's own references. Their dependencies are requested from this context, because the assemblies that use them are
    // loaded here.
    private static readonly HashSet<string> EngineAssemblies = new(StringComparer.Ordinal)
    {
        "Lockstep.Engine",
        "Lockstep.Gossip",
        "Lockstep.Ticks",
        "Lockstep.Serving",
        "Lockstep.TestServer",
        "Lockstep.Postgres",
        "Lockstep.Redis",
    };

    private static readonly EngineLoadContext Instance = new();
    private static int _attached;

    private readonly string _folder = Path.Combine(Path.GetDirectoryName(typeof(EngineLoadContext).Assembly.Location)!, "deps");

    private EngineLoadContext()
        : base("Lockstep") { }

    /// <summary>Lets the cmdlet assembly find the engine. May be called again, from any thread.</summary>
    public static void Attach()
    {
        if (Interlocked.Exchange(ref _attached, 1) != 0)
            return;

        // The SQLite in deps belongs to this module alone, so it need not lock at each call.
        AppContext.SetSwitch("Lockstep.Sqlite.OneThreadPerConnection", true);
        Default.Resolving += (_, name) => EngineAssemblies.Contains(name.Name!) ? Instance.LoadFromAssemblyName(name) : null;
    }

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        // The same assembly, compiled ahead of time for this platform if the module includes it, saves a session's first sync its JIT time.
        var compiled = Path.Combine(_folder, "runtimes", Platform, "lib", assemblyName.Name + ".dll");
        var path = File.Exists(compiled) ? compiled : Path.Combine(_folder, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        var path = Path.Combine(_folder, "runtimes", Platform, "native", NativeFileName(unmanagedDllName));
        return File.Exists(path) ? LoadUnmanagedDllFromPath(path) : 0;
    }

    private static string NativeFileName(string name) =>
        OperatingSystem.IsWindows() ? $"{name}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{name}.dylib"
        : $"lib{name}.so";

    /// <summary>The portable runtime identifier, even if the runtime names itself after a distribution.</summary>
    private static string Platform
    {
        get
        {
            var runtime = RuntimeInformation.RuntimeIdentifier;
            var system =
                OperatingSystem.IsWindows() ? "win"
                : OperatingSystem.IsMacOS() ? "osx"
                : runtime.Contains("musl", StringComparison.Ordinal) || runtime.StartsWith("alpine", StringComparison.Ordinal)
                    ? "linux-musl"
                : "linux";
            return $"{system}-{(RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64")}";
        }
    }
}
