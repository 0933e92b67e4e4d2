using Lockstep.Postgres.Feed;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The tables of a stream, those that have joined but are not in it yet, and the session that currently streams. Thread-safe.
/// </summary>
internal sealed class StreamMembers : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<StreamedTable> _tables = [];
    private readonly List<StreamedTable> _joined = [];
    private StreamSession? _session;

    /// <summary>The lock on the tables' logs.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>A copy of the current list.</summary>
    public List<StreamedTable> Tables
    {
        get
        {
            lock (_gate)
                return [.. _tables];
        }
    }

    public void Dispose() => Turn.Dispose();

    /// <summary>Adds a table.</summary>
    public void Join(StreamedTable table)
    {
        lock (_gate)
        {
            _tables.Add(table);
            _joined.Add(table);
        }
    }

    /// <summary>The tables that have joined since the last call; the caller adds them to the stream.</summary>
    public List<StreamedTable> TakeJoined()
    {
        lock (_gate)
        {
            if (_joined.Count == 0)
                return [];
            List<StreamedTable> joined = [.. _joined];
            _joined.Clear();
            return joined;
        }
    }

    /// <summary>Removes a table; the caller holds the <see cref="Turn"/>.</summary>
    public void Remove(StreamedTable table)
    {
        lock (_gate)
        {
            _tables.Remove(table);
            _joined.Remove(table);
        }

        _session?.Remove(table);
    }

    /// <summary>Sets the session that streams the tables from here on; null for none. The caller holds the <see cref="Turn"/>.</summary>
    public void BroughtBy(StreamSession? session) => _session = session;

    /// <summary>Runs an action while nobody else touches the logs.</summary>
    public async Task InTurnAsync(Func<Task> act, CancellationToken cancellationToken)
    {
        await Turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await act().ConfigureAwait(false);
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <inheritdoc cref="InTurnAsync(Func{Task}, CancellationToken)"/>
    public Task InTurnAsync(Action act, CancellationToken cancellationToken) =>
        InTurnAsync(
            () =>
            {
                act();
                return Task.CompletedTask;
            },
            cancellationToken
        );
}
