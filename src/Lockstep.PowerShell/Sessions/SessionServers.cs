namespace Lockstep.Sessions;

/// <summary>A server that a session started.</summary>
/// <typeparam name="T">Its kind.</typeparam>
internal interface ISessionServer<T>
{
    /// <summary>Whether it is still running.</summary>
    bool IsRunning { get; }

    /// <summary>Stops it.</summary>
    Task StopAsync();

    /// <summary>The error if one is required and there are none or several.</summary>
    static abstract Exception NotOne(IReadOnlyList<T> running);
}

/// <summary>Servers of one kind in one runspace; they stop with it. Thread-safe.</summary>
/// <typeparam name="T">The kind.</typeparam>
internal sealed class SessionServers<T> : IRunspaceState
    where T : class, ISessionServer<T>
{
    private readonly List<T> _servers = [];
    private bool _closed;

    /// <summary>Those of this thread's runspace.</summary>
    public static SessionServers<T> Current => PerRunspace<SessionServers<T>>.Current;

    /// <summary>The running servers, the oldest first.</summary>
    public IReadOnlyList<T> Running
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

    /// <summary>The only running server.</summary>
    /// <exception cref="Engine.LockstepException">There is none, or there are several.</exception>
    public T Only => Running is [var only] ? only : throw T.NotOne(Running);

    /// <summary>Adds a server to this runspace.</summary>
    public void Add(T server)
    {
        lock (_servers)
        {
            if (!_closed)
            {
                _servers.Add(server);
                return;
            }
        }

        // The runspace was closed while the server was starting.
        server.StopAsync().GetAwaiter().GetResult();
    }

    /// <inheritdoc/>
    public void Close()
    {
        T[] servers;
        lock (_servers)
        {
            _closed = true;
            servers = [.. _servers];
            _servers.Clear();
        }

        Task.WhenAll(servers.Select(server => server.StopAsync())).GetAwaiter().GetResult();
    }
}
