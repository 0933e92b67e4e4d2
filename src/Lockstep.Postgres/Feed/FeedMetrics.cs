using System.Diagnostics.Metrics;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Metrics for operators, from the meter <c>Lockstep.Postgres</c>; each measurement carries the tag <c>feed</c>. The lag is that of the
/// horizon: how long the oldest writing transaction (even a prepared one) has held back cursors.
/// </summary>
internal sealed class FeedMetrics : IDisposable
{
    public const string MeterName = "Lockstep.Postgres";

    /// <summary>How often the database is asked how many tombstones there are: PostgreSQL 14 reads a file to answer.</summary>
    private static readonly TimeSpan TombstoneInterval = TimeSpan.FromSeconds(30);

    private readonly Meter _meter = new(MeterName);
    private readonly TimeProvider _time;
    private readonly KeyValuePair<string, object?> _feed;
    private readonly Counter<long> _polls;
    private readonly Counter<long> _pollErrors;
    private readonly Counter<double> _pollTime;
    private readonly Counter<long> _rows;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _lost;
    private readonly UpDownCounter<long> _clients;
    private readonly Counter<long> _slotsDropped;
    private readonly Counter<long> _resyncs;
    private PgSnapshot? _snapshot;
    private long _tombstones = -1;
    private long _tombstonesAsked = long.MinValue;
    private long _slotLag;
    private long _heldSince;

    public FeedMetrics(string feed, TimeProvider time)
    {
        _feed = new("feed", feed);
        _time = time;
        _polls = _meter.CreateCounter<long>("lockstep.feed.polls", "{poll}", "Polls of the table.");
        _pollErrors = _meter.CreateCounter<long>("lockstep.feed.poll_errors", "{poll}", "Failed polls of the table.");
        _pollTime = _meter.CreateCounter<double>("lockstep.feed.poll_time", "s", "Time spent polling the table.");
        _rows = _meter.CreateCounter<long>("lockstep.feed.rows", "{row}", "Rows read from the database, for the live log and for clients.");
        _bytes = _meter.CreateCounter<long>("lockstep.feed.bytes", "By", "Bytes of rows read from the database.");
        _lost = _meter.CreateCounter<long>(
            "lockstep.feed.sent_back",
            "{client}",
            "Times that a client was too slow and was sent back to the database."
        );
        _clients = _meter.CreateUpDownCounter<long>("lockstep.feed.clients", "{client}", "Clients being served.");
        _slotsDropped = _meter.CreateCounter<long>(
            "lockstep.feed.slots_dropped",
            "{slot}",
            "Replication slots dropped because the server kept too much of its log for them."
        );
        _resyncs = _meter.CreateCounter<long>(
            "lockstep.feed.resyncs",
            "{resync}",
            "Times that a replicating feed made all its clients start over."
        );
        _meter.CreateObservableGauge(
            "lockstep.feed.slot_lag",
            () => new Measurement<long>(Volatile.Read(ref _slotLag), _feed),
            "By",
            "How much of its log the server keeps for the replication slot."
        );
        _meter.CreateObservableGauge<long>(
            "lockstep.feed.tombstones",
            () => Volatile.Read(ref _tombstones) is >= 0 and var count ? [new(count, _feed)] : [],
            "{tombstone}",
            "Tombstones of the table, as the server's statistics estimate them."
        );
        _meter.CreateObservableGauge(
            "lockstep.feed.horizon_lag_transactions",
            () => new Measurement<long>(HorizonLag.Transactions, _feed),
            "{transaction}",
            "Transactions between the horizon and the newest one."
        );
        _meter.CreateObservableGauge(
            "lockstep.feed.horizon_lag",
            () => new Measurement<double>(HorizonLag.Age.TotalSeconds, _feed),
            "s",
            "How long the oldest open writing transaction has held the horizon, as far as the poller has seen."
        );
    }

    /// <summary>By how many transactions, and for how long, the horizon is held back.</summary>
    public (long Transactions, TimeSpan Age) HorizonLag
    {
        get
        {
            var snapshot = Volatile.Read(ref _snapshot);
            return snapshot is null || snapshot.Xmin == snapshot.Xmax
                ? (0, TimeSpan.Zero)
                : (snapshot.Xmax - snapshot.Xmin, _time.GetElapsedTime(Volatile.Read(ref _heldSince)));
        }
    }

    public void Polled(PgSnapshot snapshot)
    {
        var previous = Volatile.Read(ref _snapshot);
        if (previous is null || previous.Xmin != snapshot.Xmin || previous.Xmin == previous.Xmax)
            Volatile.Write(ref _heldSince, _time.GetTimestamp());
        Volatile.Write(ref _snapshot, snapshot);
        _polls.Add(1, _feed);
    }

    /// <summary>Polling is paused, so nothing is known to be held back.</summary>
    public void Paused() => Volatile.Write(ref _snapshot, null);

    public void PollTook(TimeSpan time) => _pollTime.Add(time.TotalSeconds, _feed);

    public void PollFailed() => _pollErrors.Add(1, _feed);

    public void Read(FeedLines lines)
    {
        _rows.Add(lines.Rows, _feed);
        _bytes.Add(lines.Bytes, _feed);
    }

    public void SentBack() => _lost.Add(1, _feed);

    public void SlotSeen(long lag) => Volatile.Write(ref _slotLag, lag);

    /// <summary>Whether it is time to ask again how many tombstones there are; one caller at a time is told to.</summary>
    public bool WantsTombstones()
    {
        var asked = Volatile.Read(ref _tombstonesAsked);
        return (asked == long.MinValue || _time.GetElapsedTime(asked) >= TombstoneInterval)
            && Interlocked.CompareExchange(ref _tombstonesAsked, _time.GetTimestamp(), asked) == asked;
    }

    /// <summary>About how many tombstones there are; null for a table that has none.</summary>
    public void TombstonesSeen(long? count) => Volatile.Write(ref _tombstones, count ?? -1);

    public void SlotDropped()
    {
        Volatile.Write(ref _slotLag, 0);
        _slotsDropped.Add(1, _feed);
    }

    public void Resynced() => _resyncs.Add(1, _feed);

    public void ClientCame() => _clients.Add(1, _feed);

    public void ClientLeft() => _clients.Add(-1, _feed);

    public void Dispose() => _meter.Dispose();
}
