using System.Collections.Concurrent;
using System.Globalization;
using Lockstep.Gossip.Clock;
using Lockstep.Gossip.Nodes;

namespace Lockstep.Cli.Output;

/// <summary>
/// Reports on standard error the updates that a node does not apply, and those it will never get: once per source. Thread-safe.
/// </summary>
internal sealed class NodeTroubles : IGossipObserver
{
    /// <summary>Beyond this number, lines are only limited in number.</summary>
    private const int MostRemembered = 1000;

    private readonly ConcurrentDictionary<(string Source, string Trouble), byte> _told = new();
    private string? _lastFailure;

    public void OnUnverified(GossipUpdate update) =>
        Tell(update.Source, "are held: they are not signed by a key that is trusted here (--trusted-key)");

    public void OnHeld(GossipUpdate update, DateTimeOffset due) =>
        Tell(
            update.Source,
            "are held until their time has come: it is further ahead of this machine's clock than --max-future-sec allows",
            $" The first is due at {due.LocalDateTime.ToString(CultureInfo.CurrentCulture)}."
        );

    public void OnMisfit(GossipUpdate update) =>
        Tell(update.Source, "do not belong to this kind of node: they are only kept and passed on");

    public void OnRefused(GossipUpdate update) =>
        Tell(update.Source, "are refused: the node knows as many sources as it may (--max-sources, and their ids must fit in a header)");

    public void OnGap(string source, double from, double horizon) =>
        Tell(source, "are missing here: the peer had forgotten some before this node came");

    public void OnMissing(GossipMissing missing) =>
        Tell(
            missing.Source,
            "are missing here: a peer holds them back, or another node replaced them before their writer knew",
            $" Other peers are asked for number {missing.Numbers}."
        );

    /// <summary>Reports a failed attempt to connect that will be repeated; the same reason only once in a row.</summary>
    public void TellOfFailure(Exception error)
    {
        if (Interlocked.Exchange(ref _lastFailure, error.Message) != error.Message)
            LineLimit.OfErrors.Write("failed connections", null, $"lockstep: {error.Message.TrimEnd('.')}. Trying again.");
    }

    private void Tell(string source, string trouble, string more = "")
    {
        // Peers can invent as many sources as they like.
        if (_told.Count < MostRemembered ? _told.TryAdd((source, trouble), 0) : !_told.ContainsKey((source, trouble)))
            LineLimit.OfErrors.Write("changes that are not applied", null, $"lockstep: Changes of '{source}' {trouble}.{more}");
    }
}
