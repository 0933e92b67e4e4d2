using System.Management.Automation;
using Lockstep.Gossip;
using Lockstep.Jobs;
using Lockstep.Sessions;

namespace Lockstep.Loading;

/// <summary>
/// Called by PowerShell when it imports the module, after it has inspected its types and before it runs a cmdlet; and when it removes the
/// module.
/// </summary>
/// <remarks>
/// Before that, no engine assembly can be found. That is why no public type of this assembly names an engine type in its bases, fields,
/// properties or signatures: PowerShell would fail while inspecting the types. Internal types may.
/// </remarks>
public sealed class ModuleInitializer : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>Lets this assembly find the engine in the module's folder <c>deps</c>.</summary>
    public void OnImport() => EngineLoadContext.Attach();

    /// <summary>Stops everything that is running in the session that removes the module.</summary>
    /// <param name="psModuleInfo">The module being removed.</param>
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        PerRunspace<RunspaceJobs>.CloseCurrent();
        PerRunspace<SessionServers<TestServerInfo>>.CloseCurrent();
        PerRunspace<SessionServers<ServerInfo>>.CloseCurrent();
        PerRunspace<RunspaceModels>.CloseCurrent();
    }
}
