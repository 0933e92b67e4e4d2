using System.Collections.Concurrent;
using System.Management.Automation.Runspaces;
using Lockstep.Errors;

namespace Lockstep.TestServers;

/// <summary>
/// The test servers of one runspace. They belong to the runspace that started them: when it closes, or the module is removed
/// there, they stop, and those of other runspaces go on. Thread-safe.
/// </summary>
internal sealed class RunspaceServers
{
    private static readonly ConcurrentDictionary<Guid, RunspaceServers> All = new();

    private readonly List<TestServerInfo> _servers = [];
    private bool _closed;

    /// <summary>Those of the runspace that this thread runs for.</summary>
    public static RunspaceServers Current => All.GetOrAdd(Runspace.DefaultRunspace.InstanceId, _ => Follow(Runspace.DefaultRunspace));

    /// <summary>The servers that run, the oldest first.</summary>
    public IReadOnlyList<TestServerInfo> Running
    {
        get
        {
            lock (_servers)
            {
                _servers.RemoveAll(server => !server.IsRunning);
                return [.. _servers];
            }
        }
    }

    /// <summary>The only server that runs.</summary>
    /// <exception cref="TestServerNotFoundException">There is none, or there are several.</exception>
    public TestServerInfo Only => Running is [var only] ? only : throw new TestServerNotFoundException([.. Running.Select(server => server.FeedUri)]);

    /// <summary>Stops those of the runspace that this thread runs for.</summary>
    public static void StopCurrent()
    {
        if (Runspace.DefaultRunspace is { } runspace && All.TryRemove(runspace.InstanceId, out var servers))
            servers.StopAll();
    }

    /// <summary>Makes a server one of this runspace.</summary>
    public void Add(TestServerInfo server)
    {
        lock (_servers)
        {
            if (!_closed)
            {
                _servers.Add(server);
                return;
            }
        }

        // The runspace closed while the server started.
        server.Server.StopAsync().GetAwaiter().GetResult();
    }

    private static RunspaceServers Follow(Runspace runspace)
    {
        var servers = new RunspaceServers();
        runspace.StateChanged += (sender, change) =>
        {
            if (change.RunspaceStateInfo.State is RunspaceState.Closing or RunspaceState.Closed or RunspaceState.Broken)
            {
                All.TryRemove(runspace.InstanceId, out _);
                servers.StopAll();
            }
        };
        return servers;
    }

    private void StopAll()
    {
        TestServerInfo[] servers;
        lock (_servers)
        {
            _closed = true;
            servers = [.. _servers];
            _servers.Clear();
        }

        Task.WhenAll(servers.Select(server => server.Server.StopAsync())).GetAwaiter().GetResult();
    }
}
