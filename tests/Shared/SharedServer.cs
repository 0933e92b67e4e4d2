namespace Lockstep.Testing;

/// <summary>
/// A fixture: one server for all tests of a class or assembly, started by the first that needs it, so that a skip ends that test and not
/// the fixture.
/// </summary>
/// <param name="start">Starts it.</param>
public abstract class SharedServer<T>(Func<CancellationToken, Task<T>> start) : IAsyncDisposable
    where T : class, IAsyncDisposable
{
    private readonly SemaphoreSlim _starting = new(1, 1);
    private T? _server;

    public async Task<T> GetAsync(CancellationToken cancellationToken)
    {
        await _starting.WaitAsync(cancellationToken);
        try
        {
            return _server ??= await start(cancellationToken);
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
        GC.SuppressFinalize(this);
    }
}
