using System.Buffers;
using System.Text.Json;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly MonotonicTimestamps _timestamps;
    private readonly ArrayBufferWriter<byte> _changeScratch = new(256);

    /// <summary>Creates an update of this node's own, applies it and sends it to the peers.</summary>
    /// <param name="change">One JSON value.</param>
    /// <param name="floor">The update's timestamp will be above this one, and above now and everything known of this node.</param>
    /// <exception cref="ArgumentException">The change has an unpaired surrogate in a text.</exception>
    /// <exception cref="JsonException">The change is not one JSON value.</exception>
    /// <exception cref="GossipChangeException">The change is nested more than 510 deep, or the update is longer than
    /// <see cref="GossipNodeOptions.MaxUpdateBytes"/>.</exception>
    /// <exception cref="ObjectDisposedException">The node is disposed.</exception>
    /// <exception cref="GossipStoreException">The file could not be written.</exception>
    protected GossipUpdate LocalUpdate(ReadOnlySpan<byte> change, double floor = double.NegativeInfinity)
    {
        using var batch = BeginBatch();
        _changeScratch.ResetWrittenCount();
        WriteValue(change, _changeScratch);
        if (GossipJson.HasUnpairedSurrogate(_changeScratch.WrittenSpan))
        {
            throw new ArgumentException(UnpairedSurrogate, nameof(change));
        }

        return LocalUpdateOf(_changeScratch.WrittenSpan, floor);
    }

    /// <summary>
    /// Writes a JSON value in the form it has in a local update: without white space and, if it will be signed, as JavaScript would write
    /// it.
    /// </summary>
    /// <exception cref="JsonException">The text is not one JSON value.</exception>
    /// <exception cref="GossipChangeException">It is nested too deep.</exception>
    private protected void WriteValue(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        try
        {
            if (Whole.Options.Security is null)
            {
                GossipJson.WriteCompact(json, output);
            }
            else
            {
                GossipJson.WriteCanonical(json, output, GossipJson.MaxValueDepth);
            }
        }
        catch (JsonException error) when (GossipJson.IsTooDeep(json))
        {
            throw new GossipChangeException(
                $"The value is nested deeper than {GossipJson.MaxValueDepth} levels, which peers do not accept.",
                error
            );
        }
    }

    /// <summary>A local update of a change whose values <see cref="WriteValue"/> wrote.</summary>
    private protected GossipUpdate LocalUpdateOf(ReadOnlySpan<byte> change, double floor = double.NegativeInfinity)
    {
        using var batch = BeginBatch();
        if (_container is not null)
        {
            return _container.LocalUpdateOfPart(_partName!, change, floor);
        }

        ThrowIfUnusable();
        var timestamp = _timestamps.Next(Math.Max(Math.Max(floor, _clock[Id]), _family.PeersClock));
        try
        {
            var update = Begin(change.ToArray(), timestamp);
            CheckLength(update);
            Commit(update);
            return update;
        }
        finally
        {
            _family.BeingSealed = null;
        }
    }

    /// <summary>
    /// A line that peers do not accept would end every stream over which it is sent, and nothing after it would reach them.
    /// </summary>
    private void CheckLength(GossipUpdate update)
    {
        const int LongestEscape = 6;
        const int NumberAndPunctuation = 64;
        var seal = update.Seal is null ? 0 : GossipSeal.MaxBytes;
        var most =
            update.Change.Length + seal + (LongestEscape * (update.Source.Length + (update.Signature?.Length ?? 0))) + NumberAndPunctuation;
        if (most <= Options.MaxUpdateBytes)
        {
            return;
        }

        var line = new ArrayBufferWriter<byte>(most);
        update.WriteTo(line);
        if (line.WrittenCount + seal > Options.MaxUpdateBytes)
        {
            throw new GossipChangeException(
                $"The change takes {line.WrittenCount + seal} bytes, and peers accept lines of up to {Options.MaxUpdateBytes} bytes."
            );
        }
    }

    /// <summary>
    /// Holds the node's lock over several operations, which are then written to the file in one transaction. Dispose the result on the same
    /// thread.
    /// </summary>
    protected IDisposable Batch() => BeginBatch();
}
