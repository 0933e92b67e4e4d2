using Lockstep.Engine;
using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep.Servers;

/// <summary>The servers of one runspace, which stop with it. Thread-safe.</summary>
internal sealed class RunspaceFeedServers : SessionServers<ServerInfo>
{
    /// <summary>Those of the runspace that this thread runs for.</summary>
    public static RunspaceFeedServers Current => PerRunspace<RunspaceFeedServers>.Current;

    /// <inheritdoc/>
    protected override bool IsRunning(ServerInfo server) => server.IsRunning;

    /// <inheritdoc/>
    protected override Task StopAsync(ServerInfo server) => server.Server.StopAsync();

    /// <inheritdoc/>
    protected override LockstepException NotOne(IReadOnlyList<ServerInfo> running) => new ServerNotFoundException([.. running.Select(server => server.Uri)]);
}
