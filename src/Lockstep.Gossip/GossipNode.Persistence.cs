namespace Lockstep.Gossip;

public abstract partial class GossipNode
{
    /// <summary>
    /// Opens the file of <see cref="GossipNodeOptions.Path"/>, if there is one, and takes up what it holds. A derived type calls it last in
    /// its constructor.
    /// </summary>
    /// <param name="kind">Names the data type in the file, so that no other opens it.</param>
    /// <exception cref="GossipStoreException">The file is in use, is of another data type, or cannot be read.</exception>
    /// <exception cref="GossipIdentityException">The file has another id.</exception>
    protected void OpenFile(string kind)
    {
        if (Options.Path is not { } path)
        {
            return;
        }

        var store = GossipStore.Open(path, kind, Options.Security?.Id ?? Options.Id, Id);
        try
        {
            Id = CheckId(store.Id);
            IsRestoring = true;
            Restore(store);
            IsRestoring = false;
        }
        catch
        {
            store.Dispose();
            throw;
        }

        _store = store;
    }

    /// <summary>Whether what is applied comes from the node's own file.</summary>
    private protected bool IsRestoring { get; private set; }

    private void Restore(GossipStore store)
    {
        var parser = new GossipMessageParser();
        foreach (var line in store.ReadUpdates())
        {
            // Written here after it was verified: not verified again.
            if (parser.Parse(line).Update is { } update)
            {
                Apply(update);
                _clock.Advance(update.Source, update.Timestamp);
            }
        }

        foreach (var (source, timestamp, horizon) in store.ReadClock())
        {
            _clock.Advance(source, timestamp);
            if (horizon is { } forgotten)
            {
                _horizon?.Advance(source, forgotten);
                _forgotten.Advance(source, forgotten);
            }
        }
    }
}
