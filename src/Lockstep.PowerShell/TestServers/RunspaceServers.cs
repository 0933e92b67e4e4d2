using Lockstep.Engine;
using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep.TestServers;

/// <summary>The test servers of one runspace, which stop with it. Thread-safe.</summary>
internal sealed class RunspaceServers : SessionServers<TestServerInfo>
{
    /// <summary>Those of the runspace that this thread runs for.</summary>
    public static RunspaceServers Current => PerRunspace<RunspaceServers>.Current;

    /// <inheritdoc/>
    protected override bool IsRunning(TestServerInfo server) => server.IsRunning;

    /// <inheritdoc/>
    protected override Task StopAsync(TestServerInfo server) => server.Server.StopAsync();

    /// <inheritdoc/>
    protected override LockstepException NotOne(IReadOnlyList<TestServerInfo> running) => new TestServerNotFoundException([.. running.Select(server => server.FeedUri)]);
}
