using System.Collections.Concurrent;
using System.Text.Json;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Worker;

/// <summary>A store that records successful reads, and an observer that records what the process says of itself.</summary>
internal sealed class Recorder(ITickStore inner, TimeProvider ownTime) : ITickStore, ITickObserver
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _staleSince = new();

    public ConcurrentQueue<Switch> Switches { get; } = new();

    public ConcurrentQueue<StoreRead> Reads { get; } = new();

    public ConcurrentQueue<StaleSpan> Stale { get; } = new();

    public int SkewWarnings { get; private set; }

    public string Description => inner.Description;

    public async Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken)
    {
        var begun = ownTime.GetUtcNow();
        var reading = await inner.ReadAsync(variable, cancellationToken);
        Reads.Enqueue(new StoreRead(variable, begun, ownTime.GetUtcNow()));
        return reading;
    }

    public void OnActivated(TickActivation activation)
    {
        if (activation.Tuple is not { } tuple)
            return;
        var status = activation.Status;
        Switches.Enqueue(
            new Switch(
                activation.Variable,
                JsonSerializer.Deserialize<string>(tuple.Json)!,
                tuple.ActiveAt,
                status.Schedule.TickAt(tuple.ActiveAt - new TimeSpan(1)),
                activation.SwitchedAt,
                status.IsStale,
                status.LastRefresh!.Value
            )
        );
    }

    public void OnStale(TickStatus status) => _staleSince.TryAdd(status.Variable, status.StaleSince!.Value);

    public void OnRefreshed(TickStatus status) => EndStale(status.Variable);

    public void OnSkewed(TickStatus status) => SkewWarnings++;

    public void EndStale(string variable)
    {
        if (_staleSince.TryRemove(variable, out var from))
            Stale.Enqueue(new StaleSpan(variable, from, ownTime.GetUtcNow()));
    }

    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => inner.ReadSettingsAsync(cancellationToken);

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    ) => inner.ChangeAsync(variables, who, decide, cancellationToken);

    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        inner.ReadAuditAsync(variable, newest, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
