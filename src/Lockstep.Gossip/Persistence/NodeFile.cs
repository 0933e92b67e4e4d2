using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Persistence;

/// <summary>
/// A node's file: none, one that is written in step with the node, or one that failed. A failure is remembered, because what is in memory
/// is then not on disk: nothing more is written, and every later commit fails too. Not safe for concurrent use: a node calls it under its
/// lock.
/// </summary>
internal sealed class NodeFile : IDisposable
{
    private GossipStore? _store;
    private GossipStoreException? _failure;
    private bool _restoring;

    /// <summary>Opens or creates the file, and returns the id of the node in it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="kind">The data type.</param>
    /// <param name="requiredId">The id that the file must have, or null for any.</param>
    /// <param name="newId">The id that a new file gets.</param>
    /// <param name="sealedFor">The name of the model for which the node signs; null if it does not sign.</param>
    public string Open(string path, string kind, string? requiredId, string newId, string? sealedFor = null)
    {
        if (_store is not null)
        {
            throw new InvalidOperationException("The node's file is open already: a constructor opens it once.");
        }

        _store = GossipStore.Open(path, kind, requiredId, newId, sealedFor);
        return _store.Id;
    }

    /// <summary>Reads back the file's contents; what is kept meanwhile is already in the file.</summary>
    /// <param name="update">Receives each update, in order of time, with the observed shape of its change.</param>
    /// <param name="known">Receives each source.</param>
    public void Restore(Action<GossipUpdate, ChangeShape> update, Action<string, SourceEntry> known)
    {
        _restoring = true;
        var parser = new GossipMessageParser();
        foreach (var line in _store!.ReadUpdates())
        {
            // It was verified before it was written, so it is not verified again.
            if (parser.Parse(line) is { Update: { } found, Shape: var shape })
            {
                update(found, shape);
            }
        }

        foreach (var (source, entry) in _store.ReadClock())
        {
            known(source, entry);
        }

        _restoring = false;
    }

    public void Add(GossipUpdate update) => Write(update, static (store, update) => store.Add(update!));

    public void Remove(GossipUpdate update) => Write(update, static (store, update) => store.Remove(update!));

    public void SetClock(string source, double timestamp) => _store?.SetClock(source, timestamp);

    public void SetCount(string source, SourceCount count) => _store?.SetCount(source, count);

    public void SetHorizon(string source, double horizon) => _store?.SetHorizon(source, horizon);

    /// <summary>Commits everything since the last commit.</summary>
    public void Commit() => Write(null, static (store, _) => store.Commit());

    /// <exception cref="GossipStoreException">The file failed before.</exception>
    public void ThrowIfFailed()
    {
        if (_failure is not null)
        {
            throw new GossipStoreException(_failure.Message, _failure.Remedy, _failure);
        }
    }

    /// <summary>
    /// Stops the node, because what is in memory must not reach the file or a peer: nothing more is accepted, even if there is no file.
    /// </summary>
    /// <exception cref="GossipStoreException">The failure.</exception>
    public void Fail(GossipStoreException failure)
    {
        _failure = failure;
        throw failure;
    }

    public void Dispose()
    {
        _store?.Dispose();
        _store = null;
    }

    private void Write(GossipUpdate? update, Action<GossipStore, GossipUpdate?> write)
    {
        if (_store is null || _restoring)
        {
            return;
        }

        ThrowIfFailed();
        try
        {
            write(_store, update);
        }
        catch (GossipStoreException error)
        {
            _failure = error;
            throw;
        }
    }
}
