using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Persistence;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly NodeFile _file = new();

    /// <summary>
    /// Declares the node's data type, opens the file at <see cref="GossipNodeOptions.Path"/>, if there is one, and loads it. A derived type
    /// calls it last in its constructor.
    /// </summary>
    /// <param name="kind">Names the data type in the file and to peers, so that no other type opens the file or talks to the node.</param>
    /// <exception cref="GossipStoreException">The file is in use, is of another data type, or cannot be read.</exception>
    /// <exception cref="GossipIdentityException">The file has another id.</exception>
    protected void OpenFile(string kind)
    {
        Kind = kind;
        try
        {
            if (Options.Path is { } path)
            {
                Id = CheckId(_file.Open(path, kind, Options.Security?.Id ?? Options.Id, Id, SealedFor));
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

    /// <summary>The name of the data type; null for a type that has not declared one.</summary>
    internal string? Kind { get; private set; }

    private void Restore(GossipUpdate update, ChangeShape shape)
    {
        TakeIn(MisfitOf(update.Change.Span, shape) is { } why ? new MisfitUpdate(update, why) : update);
        _clock.Advance(update.Source, update.Timestamp);
    }

    private void Restore(string source, SourceEntry entry)
    {
        _clock.Advance(source, entry.Timestamp);
        if (entry.Count is { } count)
        {
            _counts.Restore(source, count);
        }

        if (entry.Horizon is { } forgotten)
        {
            _horizon?.Advance(source, forgotten);
            _forgotten.Advance(source, forgotten);
        }
    }
}
