using Lockstep.Errors;
using Lockstep.Sessions;

namespace Lockstep.TestServers;

/// <summary>The test servers of one runspace, which stop with it. Thread-safe.</summary>
internal sealed class RunspaceServers : IRunspaceState
{
    private readonly List<TestServerInfo> _servers = [];
    private bool _closed;

    /// <summary>Those of the runspace that this thread runs for.</summary>
    public static RunspaceServers Current => PerRunspace<RunspaceServers>.Current;

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

    /// <inheritdoc/>
    public void Close()
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
