using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>A store under a test's control: counts the reads, and lets a test slow it down or make it fail.</summary>
public sealed class HookedTickStore(ITickStore inner) : ITickStore, ITickChangeHints
{
    private int _reads;

    public event Action<string>? Changed;

    public int Reads => _reads;

    /// <summary>Runs before each read; the read throws what it throws.</summary>
    public Func<CancellationToken, Task>? BeforeRead { get; set; }

    /// <summary>Runs inside each change's transaction, after the decision.</summary>
    public Action<TickEdit>? AfterDecision { get; set; }

    public string Description => inner.Description;

    /// <summary>Says that a variable may have changed.</summary>
    public void Hint(string variable) => Changed?.Invoke(variable);

    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) => inner.ReadSettingsAsync(cancellationToken);

    public async Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        if (BeforeRead is not null)
            await BeforeRead(cancellationToken);
        return await inner.ReadAsync(variable, cancellationToken);
    }

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    ) =>
        inner.ChangeAsync(
            variables,
            who,
            readings =>
            {
                var edits = decide(readings);
                foreach (var edit in edits)
                    AfterDecision?.Invoke(edit);
                return edits;
            },
            cancellationToken
        );

    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        inner.ReadAuditAsync(variable, newest, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
