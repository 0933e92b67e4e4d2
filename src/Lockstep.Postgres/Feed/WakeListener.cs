using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Listens for the notifications of tracked tables (NOTIFY), on one connection for all feeds of a database, and only while a feed wants
/// them. Thread-safe.
/// </summary>
internal sealed class WakeListener(NpgsqlDataSource source, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>The pause before the next attempt on a server that refuses LISTEN, as a replica does.</summary>
    private static readonly TimeSpan LongPause = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly List<WakeSubscription> _subscriptions = [];
    private CancellationTokenSource? _stop;
    private Task _listening = Task.CompletedTask;
    private bool _listens;

    /// <summary>Whether notifications are currently arriving.</summary>
    public bool Listens => Volatile.Read(ref _listens);

    /// <summary>Subscribes to the notifications of a table.</summary>
    /// <param name="name">The table's name in the registry.</param>
    /// <param name="wake">
    /// Called for each notification, and when they start or stop arriving, because one may have been missed then. Must be quick.
    /// </param>
    public WakeSubscription Subscribe(string name, Action wake)
    {
        var subscription = new WakeSubscription(this, name, wake);
        lock (_gate)
        {
            _subscriptions.Add(subscription);
            if (_subscriptions.Count == 1)
            {
                _stop = new CancellationTokenSource();
                var (before, token) = (_listening, _stop.Token);
                _listening = Task.Run(() => ListenAsync(before, token), CancellationToken.None);
            }
        }

        return subscription;
    }

    internal void Leave(WakeSubscription subscription)
    {
        CancellationTokenSource? stop = null;
        lock (_gate)
        {
            if (_subscriptions.Remove(subscription) && _subscriptions.Count == 0)
                (stop, _stop) = (_stop, null);
        }

        stop?.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        CancellationTokenSource? stop;
        lock (_gate)
            (stop, _stop) = (_stop, null);
        if (stop is not null)
            await stop.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
    }

    private async Task ListenAsync(Task before, CancellationToken cancellationToken)
    {
        await before.ConfigureAwait(false);
        while (!cancellationToken.IsCancellationRequested)
        {
            var pause = Pause;
            try
            {
                var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    connection.Notification += OnNotification;
                    try
                    {
                        await connection
                            .ExecuteAsync($"LISTEN {Sql.Quote(Tracking.TrackingSql.Channel)}", cancellationToken)
                            .ConfigureAwait(false);
                        Turn(on: true);
                        while (true)
                            await connection.WaitAsync(cancellationToken).ConfigureAwait(false);
                    }
                    finally
                    {
                        connection.Notification -= OnNotification;
                    }
                }
            }
            catch (PostgresException e) when (!PostgresErrors.IsPassing(e))
            {
                pause = LongPause;
            }
#pragma warning disable CA1031 // Without wake-ups the feeds poll at intervals, and report any error themselves.
            catch
#pragma warning restore CA1031
            { }
            finally
            {
                Turn(on: false);
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Turn(bool on)
    {
        WakeSubscription[] all;
        lock (_gate)
        {
            if (_listens == on)
                return;
            Volatile.Write(ref _listens, on);
            all = [.. _subscriptions];
        }

        foreach (var subscription in all)
            subscription.Wake();
    }

    private void OnNotification(object sender, NpgsqlNotificationEventArgs e)
    {
        WakeSubscription[] meant;
        lock (_gate)
            meant = [.. _subscriptions.Where(s => s.Name == e.Payload)];
        foreach (var subscription in meant)
            subscription.Wake();
    }
}

/// <summary>What a feed holds while it is subscribed.</summary>
internal sealed class WakeSubscription(WakeListener listener, string name, Action wake) : IDisposable
{
    public string Name => name;

    /// <summary>Whether notifications are arriving.</summary>
    public bool IsHeard => listener.Listens;

    public void Wake() => wake();

    public void Dispose() => listener.Leave(this);
}
