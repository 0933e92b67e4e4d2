using System.Diagnostics;
using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>
/// The connection of a store, opened when it is first needed. It reconnects by itself; one that brings nothing for a while is replaced by a
/// new one, whatever the reason. All members may be called from any thread.
/// </summary>
/// <param name="address">Where to.</param>
internal sealed class RedisConnection(RedisStoreAddress address) : IAsyncDisposable
{
    /// <summary>A connection that has answered nothing for this long is dropped when it fails again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestClose = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Task<ConnectionMultiplexer>? _connecting;
    private long _lastGood;
    private bool _disposed;

    /// <summary>The connection, which may have no server at the moment.</summary>
    public async Task<ConnectionMultiplexer> GetAsync(CancellationToken cancellationToken)
    {
        Task<ConnectionMultiplexer> connecting;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_connecting is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _lastGood = Stopwatch.GetTimestamp();
                _connecting = Task.Run(ConnectAsync, CancellationToken.None);
            }

            connecting = _connecting;
        }

        return await connecting.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The server answered.</summary>
    public void Succeeded() => Volatile.Write(ref _lastGood, Stopwatch.GetTimestamp());

    /// <summary>It did not.</summary>
    public void Failed()
    {
        Task<ConnectionMultiplexer> given;
        lock (_gate)
        {
            if (_connecting is null || Stopwatch.GetElapsedTime(Volatile.Read(ref _lastGood)) < Patience)
                return;
            given = _connecting;
            _connecting = null;
        }

        _ = CloseAsync(given);
    }

    public async ValueTask DisposeAsync()
    {
        Task<ConnectionMultiplexer>? connecting;
        lock (_gate)
        {
            _disposed = true;
            connecting = _connecting;
            _connecting = null;
        }

        if (connecting is not null)
            await CloseAsync(connecting).ConfigureAwait(false);
    }

    private Task<ConnectionMultiplexer> ConnectAsync() => ConnectionMultiplexer.ConnectAsync(address.Complete());

    private static async Task CloseAsync(Task<ConnectionMultiplexer> connecting)
    {
        try
        {
            var connection = await connecting.ConfigureAwait(false);
            // The driver may be at an answer that it never gets to the end of.
            await Task.Run(async () =>
                {
                    await connection.CloseAsync(allowCommandsToComplete: false).ConfigureAwait(false);
                    await connection.DisposeAsync().ConfigureAwait(false);
                })
                .WaitAsync(LongestClose)
                .ConfigureAwait(false);
        }
        catch (Exception e) when (RedisErrors.IsUnavailable(e))
        {
            // It was never established.
        }
    }
}
