using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Wire;

namespace Lockstep.Gossip.Nodes;

public abstract partial class GossipNode
{
    /// <summary>Processes whole lines from a stream; all lines of a stream are processed by one thread at a time.</summary>
    /// <exception cref="GossipProtocolException">A line is not a message; those before it are applied.</exception>
    internal void Receive(GossipSession from, ReadOnlySpan<byte> lines)
    {
        var isUtf8 = System.Text.Unicode.Utf8.IsValid(lines);
        GossipProtocolException? malformed;
        do
        {
            from.ClearInbox();
            malformed = Examine(from, ref lines, isUtf8);
            TakeInbox(from);
        } while (!lines.IsEmpty && malformed is null);

        from.ClearInbox();
        if (malformed is not null)
        {
            throw malformed;
        }
    }

    /// <summary>
    /// Parses lines, limited so that their contents take little memory however short they are, up to one that is not a message; returns the
    /// reason.
    /// </summary>
    private GossipProtocolException? Examine(GossipSession from, ref ReadOnlySpan<byte> lines, bool isUtf8)
    {
        while (!lines.IsEmpty && from.Inbox.Length < GossipSession.MaxInbox)
        {
            var end = lines.IndexOf((byte)'\n');
            var line = Trim(end < 0 ? lines : lines[..end]);
            lines = end < 0 ? [] : lines[(end + 1)..];
            if (line.IsEmpty)
            {
                continue;
            }

            try
            {
                from.AddToInbox(
                    Examine(
                        from,
                        line.Length <= from.Options.MaxLineBytes
                            ? from.Parser.Parse(line, isUtf8)
                            : throw GossipSession.TooLong(from.Options.MaxLineBytes)
                    )
                );
            }
            catch (GossipProtocolException error)
            {
                return error;
            }
        }

        return null;
    }

    private void TakeInbox(GossipSession from)
    {
        using var batch = BeginBatch();
        ThrowIfUnusable();
        if (from.HasEnded)
        {
            return;
        }

        var limit = _future.Limit();
        foreach (ref readonly var received in from.Inbox)
        {
            if (received.Message.Oddity is not null)
            {
                NoteIgnored(from, received.Message.Oddity);
            }

            switch (received.Message.Kind)
            {
                case GossipMessageKind.Update when from.Receives:
                    Accept(from, received.Message.Update!, received.Verified, limit);
                    break;
                case GossipMessageKind.Header:
                    TakeHeader(from, received.Message.Header!);
                    break;
                case GossipMessageKind.Sync:
                    from.TakeSync();
                    break;
            }
        }
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> line)
    {
        while (!line.IsEmpty && IsBlank(line[0]))
        {
            line = line[1..];
        }

        while (!line.IsEmpty && IsBlank(line[^1]))
        {
            line = line[..^1];
        }

        return line;
    }

    private static bool IsBlank(byte c) => c is (byte)' ' or (byte)'\t' or (byte)'\r';

    /// <summary>
    /// Everything about a message that needs no lock. Updates of a stream are verified in order, one after another. What npm's scuttlebutt
    /// ignores, or its own nodes might send, does not end a peer's stream; it does end that of a stranger who has not identified itself.
    /// </summary>
    private Received Examine(GossipSession from, GossipMessage message)
    {
        from.Introduced |= message.Kind == GossipMessageKind.Header;
        Tolerate(from, message.Oddity);
        if (message.Update is not { } update || !from.Receives)
        {
            return new Received(message, true);
        }

        var misfit = MisfitOf(update.Change.Span, message.Shape);
        Tolerate(from, misfit);
        var verified = Options.Security is null;
        if (!verified && !IsKnown(update))
        {
            update = Canonical(update);
            verified = Verify(update);
        }
        else if (misfit is null)
        {
            return new Received(message, verified);
        }

        return new Received(message with { Update = misfit is null ? update : new MisfitUpdate(update, misfit) }, verified);
    }

    private static void Tolerate(GossipSession from, string? oddity)
    {
        if (oddity is not null && !from.Introduced)
        {
            throw new GossipProtocolException(oddity);
        }
    }

    private void NoteIgnored(GossipSession from, string what)
    {
        _ignoredLines++;
        Notify(from, (stream, observer) => observer.OnIgnored(stream, what));
    }

    private bool IsKnown(GossipUpdate update)
    {
        lock (Gate)
        {
            return _clock.Covers(update) && !_counts.Lacks(update);
        }
    }

    /// <param name="from">The stream.</param>
    /// <param name="update">The received update.</param>
    /// <param name="verified">Whether it is signed as required; known updates are not checked.</param>
    /// <param name="limit">The timestamp up to which it is not too far ahead: what was acceptable a moment ago still is.</param>
    private void Accept(GossipSession from, GossipUpdate update, bool verified, double limit)
    {
        if (!Admits(update))
        {
            return;
        }

        Take(from, update, verified, limit);

        // The peer has what it sent, so it is not echoed. Only now, because the node knows the source only after applying its update.
        from.PeerHas(update);
    }

    /// <summary>
    /// Whether the node knows the source or may add another one. Refused updates are not in the clock, so peers send them again when they
    /// reconnect.
    /// </summary>
    private bool Admits(GossipUpdate update)
    {
        if (_sources.Admits(update.Source, Options.MaxSources))
        {
            return true;
        }

        _refusedUpdates++;
        Notify(observer => observer.OnRefused(update));
        return false;
    }

    private void Take(GossipSession from, GossipUpdate update, bool verified, double limit)
    {
        if (_clock.Covers(update))
        {
            if (verified && _counts.Lacks(update))
            {
                CommitLate(from, update);
            }
            else
            {
                Notify(observer => observer.OnOldData(update));
            }

            return;
        }

        if (!_holds.IsEmpty && _holds.TryAdd(from, update))
        {
            return;
        }

        if (!verified)
        {
            Notify(observer => observer.OnUnverified(update));
            _holds.Begin(from, update, null);
            return;
        }

        if (update.Timestamp > limit && _future.DueTime(update) is { } due)
        {
            Notify(observer => observer.OnHeld(update, due));
            _holds.Begin(from, update, due);
            ScheduleHeld(due);
            return;
        }

        CommitFrom(from, update);
    }

    private void TakeHeader(GossipSession from, GossipHeader header)
    {
        if (header.Id == Id && !from.Options.AllowOwnId)
        {
            throw new GossipIdentityException(
                $"The peer has this node's own id '{Id}', and there can be one live process per id.",
                "Give one of the two another id."
            );
        }

        if (from.Options.OfferedName is { } offered && NodeName.In(header) is { } wanted && wanted != offered)
        {
            throw NodeName.Unknown(wanted);
        }

        CheckKind(header);
        CheckScheme(header);
        CheckSealedFor(header);
        var mine = header.Clock[Id];
        if (mine > _family.PeersClock && mine <= _future.Limit())
        {
            _family.PeersClock = mine;
        }

        from.TakeHeader(header);
        Notify(from, (stream, observer) => observer.OnHeader(stream, header));
    }

    /// <summary>
    /// What one kind of node sends does not fit another or, worse, means something else. npm's nodes do not announce their kind.
    /// </summary>
    private void CheckKind(GossipHeader header)
    {
        if (Kind is not null && header.MetaText(GossipSession.KindMember) is { } theirs && theirs != Kind)
        {
            throw new GossipKindException(Kind, theirs);
        }
    }

    private void CheckScheme(GossipHeader header)
    {
        if (Options.Security?.Scheme is not { } scheme)
        {
            return;
        }

        var theirs = header.MetaText(GossipSession.SchemeMember);
        if (theirs != scheme)
        {
            throw new GossipSecurityException(
                $"This node signs with {scheme} and the peer announces {theirs ?? "no signature scheme"}.",
                "Give both nodes keys of one scheme; for npm scuttlebutt that is RSA."
            );
        }
    }

    internal readonly record struct Received(GossipMessage Message, bool Verified);
}
