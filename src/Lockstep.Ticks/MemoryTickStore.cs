namespace Lockstep.Ticks;

/// <summary>A store in this process's memory: for tests, and for a process that wants schedules without sharing them.</summary>
public sealed class MemoryTickStore : ITickStore
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _clock;
    private readonly TickSettings _settings;
    private readonly SortedDictionary<string, TickSchedule> _schedules = new(StringComparer.Ordinal);
    private readonly List<TickAuditEntry> _audit = [];
    private readonly string _identity = Guid.NewGuid().ToString("N");
    private long _version;

    /// <param name="settings">The store's settings; null for <see cref="TickSettings.Default"/>.</param>
    /// <param name="clock">The store's clock; null for the system's.</param>
    public MemoryTickStore(TickSettings? settings = null, TimeProvider? clock = null)
    {
        _settings = (settings ?? TickSettings.Default).Check();
        _clock = clock ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public string Description => "memory";

    /// <inheritdoc/>
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => Task.FromResult(_settings);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken)
    {
        lock (_gate)
            return Task.FromResult(Read(variable));
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<string>>([
                .. _schedules.Where(pair => pair.Value.Tuples.Count > 0).Select(pair => pair.Key),
            ]);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var time = _clock.GetUtcNow();
            TickReading[] before = [.. variables.Select(variable => Read(variable) with { StoreTime = time })];
            var edits = decide(before);
            TickSchedule[] after = [.. edits.Zip(before, (edit, reading) => edit.ApplyTo(reading.Schedule))];
            TickEdit.CheckDeadline(variables, edits, _clock.GetUtcNow());
            var change = Guid.NewGuid();
            foreach (var (variable, edit, schedule) in variables.Zip(edits, after))
            {
                _schedules[variable] = schedule;
                _audit.AddRange(edit.Operations.Select(operation => new TickAuditEntry(change, time, who, variable, operation)));
            }

            if (edits.Any(edit => edit.Operations.Count > 0))
                _version++;
            return Task.FromResult(TickCommit.Of(edits, before, _clock.GetUtcNow()));
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken)
    {
        lock (_gate)
            return Task.FromResult<IReadOnlyList<TickAuditEntry>>([.. _audit.Where(entry => entry.Variable == variable).TakeLast(newest)]);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private TickReading Read(string variable) =>
        new(_schedules.GetValueOrDefault(variable) ?? new TickSchedule(_settings.DefaultTick), _settings, _clock.GetUtcNow())
        {
            Stamp = new TickStoreStamp(_identity, _version),
        };
}
