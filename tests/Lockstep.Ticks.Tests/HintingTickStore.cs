using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>A store that hints at changes when a test says so.</summary>
internal sealed class HintingTickStore(ITickStore inner) : ITickStore, ITickChangeHints
{
    public event Action<string>? Changed;

    public string Description => inner.Description;

    public void Hint(string variable) => Changed?.Invoke(variable);

    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => inner.ReadSettingsAsync(cancellationToken);

    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        inner.ReadAsync(variable, cancellationToken);

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
