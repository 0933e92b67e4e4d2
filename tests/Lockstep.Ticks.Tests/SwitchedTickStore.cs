using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>One address, behind which a test puts one store or another.</summary>
internal sealed class SwitchedTickStore(ITickStore inner) : ITickStore
{
    public ITickStore Inner { get; set; } = inner;

    public string Description => "switched";

    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => Inner.ReadSettingsAsync(cancellationToken);

    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        Inner.ReadAsync(variable, cancellationToken);

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) => Inner.ListAsync(cancellationToken);

    public Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    ) => Inner.ChangeAsync(variables, who, decide, cancellationToken);

    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        Inner.ReadAuditAsync(variable, newest, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
