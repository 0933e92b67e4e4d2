using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Persistence;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly NodeFile _file = new();

    /// <summary>
    /// Opens the file of <see cref="GossipNodeOptions.Path"/>, if there is one, and takes up what it holds. A derived type calls it last in
    /// its constructor.
    /// </summary>
    /// <param name="kind">Names the data type in the file, so that no other opens it.</param>
    /// <exception cref="GossipStoreException">The file is in use, is of another data type, or cannot be read.</exception>
    /// <exception cref="GossipIdentityException">The file has another id.</exception>
    protected void OpenFile(string kind)
    {
        try
        {
            if (Options.Path is { } path)
            {
                Id = CheckId(_file.Open(path, kind, Options.Security?.Id ?? Options.Id, Id));
                _file.Restore(Restore, Restore);
            }

            using var batch = BeginBatch();
            Shorten();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    private void Restore(GossipUpdate update)
    {
        Apply(update);
        _clock.Advance(update.Source, update.Timestamp);
    }

    private void Restore(string source, double timestamp, double? horizon)
    {
        _clock.Advance(source, timestamp);
        if (horizon is { } forgotten)
        {
            _horizon?.Advance(source, forgotten);
            _forgotten.Advance(source, forgotten);
        }
    }
}
