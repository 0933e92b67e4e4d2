using System.Management.Automation;
using Lockstep.Gossip;
using Lockstep.Jobs;
using Lockstep.Sessions;

namespace Lockstep.Loading;

/// <summary>
/// What PowerShell calls when it imports the module, after it has looked at its types and before it runs a cmdlet; and when it removes it.
/// </summary>
/// <remarks>
/// Until then nothing of the engine can be found. That is why no public type of this assembly names an engine type in its bases,
/// fields, properties or signatures: PowerShell would stumble over it while it looks. Internal types may.
/// </remarks>
public sealed class ModuleInitializer : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    /// <summary>Lets this assembly find the engine in the folder <c>deps</c> of the module.</summary>
    public void OnImport() => EngineLoadContext.Attach();

    /// <summary>Stops what the session that removes the module has running.</summary>
    /// <param name="psModuleInfo">The module that is removed.</param>
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        PerRunspace<RunspaceJobs>.CloseCurrent();
        PerRunspace<SessionServers<TestServerInfo>>.CloseCurrent();
        PerRunspace<SessionServers<ServerInfo>>.CloseCurrent();
        PerRunspace<RunspaceModels>.CloseCurrent();
    }
}
