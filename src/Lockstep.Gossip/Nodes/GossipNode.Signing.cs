using System.Buffers;
using System.Security.Cryptography;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Json;
using Lockstep.Gossip.Security;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    private readonly SourceCounts _counts = new();

    /// <summary>The numbers of this node's own updates that are kept here.</summary>
    private readonly NumberRanges _present = new();
    private bool _writeWhenSealed;

    /// <summary>
    /// The updates that are missing here, by source, as the sources' signed counts show. Empty for a node without <see
    /// cref="GossipNodeOptions.Security"/>, which trusts no count.
    /// </summary>
    public IReadOnlyList<GossipMissing> GetMissing()
    {
        lock (Gate)
        {
            return _counts.List();
        }
    }

    /// <summary>Increases whenever more updates are missing, and there is therefore something to ask the peers for.</summary>
    internal int MissingVersion { get; private set; }

    /// <summary>The time to show to peers for a source and its entry in the clock, under the lock.</summary>
    internal double TimeToShow(string source, double timestamp) => _counts.ToAsk(source, timestamp);

    /// <summary>The name of the model for which this node signs; null if it does not sign.</summary>
    internal string? SealedFor => Options.Security is { Seals: true } ? Options.SharedName ?? "" : null;

    private static void CheckSignatures(GossipNodeOptions options)
    {
        if (!options.ModernOnly)
        {
            return;
        }

        if (options.Security is not { Seals: true })
        {
            throw new GossipSecurityException("Only changes with a modern signature are to be taken, and there are no keys.", "Give keys.");
        }

        if (string.IsNullOrEmpty(options.SharedName))
        {
            throw new GossipSecurityException(
                "A modern signature covers the model's name, and there is none.",
                "Give the name that all nodes of the model have for it."
            );
        }
    }

    /// <summary>An update of this node's own; a seal, if it gets one, is created after it has been applied.</summary>
    private GossipUpdate Begin(byte[] change, double timestamp)
    {
        var update = new GossipUpdate(change, timestamp, Id, null);
        if (Options.Security is not { } signer)
        {
            return update;
        }

        signer.RequireSigningKey();
        if (!signer.Seals)
        {
            return new GossipUpdate(change, timestamp, Id, signer.Sign(update.TextToSign()));
        }

        update.Attach(new GossipSeal(_counts[Id].Top + 1, new NumberRanges(), string.Empty, null));
        _family.BeingSealed = update;
        return update;
    }

    /// <summary>
    /// Signs an applied update: only now is it known which of the earlier ones remain. Nobody else has seen it, and it is not in the file.
    /// </summary>
    private void Seal(GossipUpdate update)
    {
        var signer = Options.Security!;
        var number = update.Seal!.Number;
        var present = _present.Or(_counts[Id].Missing);
        present = present.Between(present.Floor, number - 1);
        try
        {
            var seal = new GossipSeal(number, present, signer.Seal(update.TextToSeal(SealedFor!, Kind ?? "", number, present)), null);
            update.Attach(seal);
            if (signer.SignsSealed)
            {
                update.Attach(seal with { Plain = signer.Sign(update.TextToSign()) });
            }
        }
        catch (Exception error) when (error is CryptographicException or GossipSecurityException)
        {
            _file.Fail(
                new GossipStoreException(
                    "A change could not be signed, and the node accepts no further ones: " + error.Message,
                    "Repair the key, and start the node again.",
                    error
                )
            );
        }

        _family.BeingSealed = null;
        if (_writeWhenSealed)
        {
            _writeWhenSealed = false;
            _file.Add(update);
        }
    }

    private bool Verify(GossipUpdate update)
    {
        if (Options.Security is not { } security)
        {
            return true;
        }

        if (update.Seal is { } seal)
        {
            var text = update.TextToSeal(Options.SharedName ?? "", Kind ?? "", seal.Number, seal.Present);
            if (!security.VerifySeal(update.Source, text, seal.Text))
            {
                return false;
            }
        }
        else if (Options.ModernOnly)
        {
            return false;
        }

        // npm's signature is required even if the seal would suffice: a relay that removed it would cut off npm's nodes behind this one.
        return (update.Seal is not null && !security.SignsSealed)
            || (update.Signature is { } signature && security.Verify(update.Source, update.TextToSign(), signature));
    }

    /// <summary>The text that is kept and passed on is exactly what the signatures cover.</summary>
    private static GossipUpdate Canonical(GossipUpdate update)
    {
        var change = new ArrayBufferWriter<byte>(update.Change.Length);
        GossipJson.WriteCanonical(update.Change.Span, change);
        return new GossipUpdate(update, change.WrittenSpan.ToArray());
    }

    /// <summary>Counts an applied update, and reports what it reveals to be missing.</summary>
    /// <param name="update">The update, which was verified.</param>
    /// <param name="before">The clock's entry before it.</param>
    private void NoteNumber(GossipUpdate update, double before)
    {
        if (update.Seal is null || Options.Security is null)
        {
            return;
        }

        if (update.Timestamp <= before)
        {
            _counts.Fill(update);
            _watchers.AddLate(update);
        }
        else if (_counts.Note(update, before))
        {
            MissingVersion++;
            var missing = _counts.List().Single(missing => missing.Source == update.Source);
            Notify(observer => observer.OnMissing(missing));
        }

        _file.SetCount(update.Source, _counts[update.Source]);
    }

    /// <summary>Applies a stream's update. The other peers are asked for whatever it reveals to be missing.</summary>
    private void CommitFrom(GossipSession from, GossipUpdate update)
    {
        if (!Admits(update))
        {
            return;
        }

        var before = MissingVersion;
        NoteGap(from, update);
        Commit(update);
        if (MissingVersion != before)
        {
            from.NoteAsked(MissingVersion);
        }
    }

    /// <summary>
    /// Applies an update that was missing, and offers it to the other peers: they may lack it too, although their clocks do not show it.
    /// </summary>
    private void CommitLate(GossipSession from, GossipUpdate update)
    {
        Commit(update);
        foreach (var session in _family.Members.SelectMany(static member => member._sessions).Where(session => session != from))
        {
            session.OfferLate(update);
        }
    }

    /// <summary>Updates signed for another model would be held here forever, and those written here would be held there.</summary>
    private void CheckSealedFor(GossipHeader header)
    {
        if (SealedFor is { } ours && header.MetaText(GossipSession.SealedForMember) is { } theirs && theirs != ours)
        {
            throw new GossipSecurityException(
                $"Changes are signed here for {Named(ours)}, and by the peer for {Named(theirs)}.",
                "Give both nodes the same shared name, or connect this one with a node of its own model."
            );
        }
    }

    private static string Named(string model) => model.Length == 0 ? "models without a shared name" : $"the model '{model}'";
}
