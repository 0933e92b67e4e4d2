namespace Lockstep.Testing;

/// <summary>
/// A fixture: one <see cref="PostgresServer"/> for all tests of a class or assembly, started by the first that asks for it, so that
/// a skip ends that test and not the fixture. Tests keep apart by <see cref="PostgresServer.CreateDatabaseAsync"/>.
/// </summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private PostgresServer? _server;

    public async Task<PostgresServer> GetAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            return _server ??= await PostgresServer.StartAsync(cancellationToken);
        }
        finally
        {
            _starting.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _starting.Dispose();
    }
}
