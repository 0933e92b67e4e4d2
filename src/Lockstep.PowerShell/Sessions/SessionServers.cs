namespace Lockstep.Sessions;

/// <summary>Servers of one kind of one runspace, which stop with it. Thread-safe.</summary>
/// <typeparam name="T">The kind.</typeparam>
internal abstract class SessionServers<T> : IRunspaceState
    where T : class
{
    private readonly List<T> _servers = [];
    private bool _closed;

    /// <summary>The servers that run, the oldest first.</summary>
    public IReadOnlyList<T> Running
    {
        get
        {
            lock (_servers)
            {
                _servers.RemoveAll(server => !IsRunning(server));
                return [.. _servers];
            }
        }
    }

    /// <summary>The only server that runs.</summary>
    /// <exception cref="Engine.LockstepException">There is none, or there are several.</exception>
    public T Only => Running is [var only] ? only : throw NotOne(Running);

    /// <summary>Makes a server one of this runspace.</summary>
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

        // The runspace closed while the server started.
        StopAsync(server).GetAwaiter().GetResult();
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

        Task.WhenAll(servers.Select(StopAsync)).GetAwaiter().GetResult();
    }

    /// <summary>Whether a server has not been stopped.</summary>
    protected abstract bool IsRunning(T server);

    /// <summary>Stops a server.</summary>
    protected abstract Task StopAsync(T server);

    /// <summary>What to say where one server is wanted and there are none or several.</summary>
    protected abstract Engine.LockstepException NotOne(IReadOnlyList<T> running);
}
