using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Lockstep.Engine.Serving;
using Npgsql;

namespace Lockstep.Postgres.Feed;

/// <summary>
/// Follows a view without tombstones: reads all of it, and finds by digests which rows have changed or gone since the last reading. Each
/// reading serves everybody: followers get the changes, and clients that ask get the rows they lack. Clients ask from any thread;
/// everything else belongs to the poller.
/// </summary>
internal sealed class ViewReader
{
    private readonly FeedDatabase _database;
    private readonly LiveLog<PgSnapshot> _log;
    private readonly PostgresFeedOptions _options;
    private readonly FeedMetrics _metrics;
    private readonly Signal _stir;
    private readonly TimeProvider _time;
    private readonly ViewKey _key;
    private readonly Lock _gate = new();
    private readonly List<ViewAsk> _asks = [];
    private ViewRows? _rows = new();
    private ViewContent? _content;
    private string? _of;
    private bool _isTorn;
    private bool _changed = true;
    private long _look;
    private volatile ViewRange _range = new(0, long.MaxValue, IsWhole: true);

    public ViewReader(
        FeedDatabase database,
        LiveLog<PgSnapshot> log,
        PostgresFeedOptions options,
        FeedMetrics metrics,
        Signal stir,
        TimeProvider time
    )
    {
        (_database, _log, _options, _metrics, _stir, _time) = (database, log, options, metrics, stir, time);
        _key = new ViewKey(database);
        database.ViewName = NewName();
    }

    /// <summary>The cursors from which a client can continue.</summary>
    public ViewRange Range => _range;

    /// <summary>Whether somebody is waiting for the view to be read.</summary>
    public bool IsAsked
    {
        get
        {
            lock (_gate)
                return _asks.Count > 0;
        }
    }

    /// <summary>The memory used to compare rows.</summary>
    public long Bytes => _rows?.Bytes ?? 0;

    /// <summary>Asks for the rows that a client lacks.</summary>
    /// <param name="pieces">Receives them.</param>
    /// <param name="since">The client's cursor; 0 for all rows.</param>
    /// <param name="stop">The client has gone.</param>
    public ViewAsk Ask(RowSpill pieces, long since, CancellationToken stop)
    {
        var ask = new ViewAsk(pieces, since, _time.GetTimestamp(), stop);
        lock (_gate)
            _asks.Add(ask);
        _stir.Raise();
        return ask;
    }

    /// <summary>Ends all waiting: nobody will read any more.</summary>
    public void Close()
    {
        foreach (var ask in TakeAsks())
            ask.Fail(new FeedUnavailableException($"{_options.Table} is no longer served here.", _options.RetryAfter));
    }

    /// <summary>The view could not be read: clients whose patience has run out get the error.</summary>
    public void Failed(Exception error)
    {
        ViewAsk[] over;
        lock (_gate)
        {
            over = [.. _asks.Where(a => _time.GetElapsedTime(a.Asked) >= _options.Patience)];
            _asks.RemoveAll(over.Contains);
        }

        foreach (var ask in over)
            ask.Fail(error);
    }

    /// <summary>Polls: reads the view unless it is unchanged and nobody lacks rows.</summary>
    public async Task<FeedStamp> LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // If something changes all the time, one reading is enough; if hardly anything does, a checksum computed by the server reveals it.
        if (!_changed && !IsAsked)
        {
            ViewContent? now = null;
            var stamp = await _database
                .ReadAsync(
                    connection,
                    table => table.Changes == ChangeSource.SnapshotsOnly ? new FeedQuery(FeedSql.Digest(table)) : null,
                    async (_, row) =>
                    {
                        await row.ReadAsync(cancellationToken).ConfigureAwait(false);
                        now = new ViewContent(row.GetInt64(0), Int128.Parse(row.GetString(1), CultureInfo.InvariantCulture));
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (stamp.Table.Changes != ChangeSource.SnapshotsOnly)
                return stamp;
            if (now == _content && stamp.Identity == _log.Identity)
                return Reached(stamp, null);
        }

        return await ReadAsync(connection, cancellationToken).ConfigureAwait(false);
    }

    private async Task<FeedStamp> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var asks = TakeAsks();
        var reading = new Reading(this, asks, cancellationToken);
        try
        {
            var stamp = await _database
                .ReadAsync(
                    connection,
                    table => table.Changes == ChangeSource.SnapshotsOnly ? new FeedQuery(FeedSql.Shown(table)) : null,
                    reading.TakeAsync,
                    cancellationToken
                )
                .ConfigureAwait(false);
            if (stamp.Table.Changes != ChangeSource.SnapshotsOnly)
            {
                reading.Fail(new FeedIdentityChangedException(stamp.Identity));
                return stamp;
            }

            return await reading.EndAsync(stamp).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            (_isTorn, _changed) = (_rows is not null, true);
            foreach (var ask in asks)
            {
                // A client that has received no rows yet gets another attempt while its patience lasts.
                if (!ask.HasBegun && PostgresErrors.IsPassing(e) && _time.GetElapsedTime(ask.Asked) < _options.Patience)
                {
                    lock (_gate)
                        _asks.Add(ask);
                }
                else
                {
                    ask.Fail(PostgresErrors.Translate(e, _options.Table.ToString()));
                }
            }

            throw;
        }
    }

    /// <summary>Appends what a reading found to the log.</summary>
    /// <param name="stamp">The reading's.</param>
    /// <param name="changes">The changes; null if there are none.</param>
    /// <param name="isNew">Whether the changes are unknown or too many, so that followers have to ask.</param>
    private FeedStamp Reached(FeedStamp stamp, FeedLines? changes, bool isNew = false)
    {
        _database.ViewReached(stamp);
        stamp = stamp with { Snapshot = stamp.Snapshot.At(++_look) };
        if (isNew || _log.End is not { } known)
            _log.Restart(stamp.Identity, stamp.Snapshot);
        else
            _log.Append(new LiveBatch<PgSnapshot>(known, stamp.Snapshot, changes?.Take() ?? [], changes?.Bytes ?? 0));
        return stamp;
    }

    private ViewAsk[] TakeAsks()
    {
        lock (_gate)
        {
            ViewAsk[] asks = [.. _asks.Where(a => !a.IsOver)];
            _asks.Clear();
            return asks;
        }
    }

    private static string NewName() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));

    /// <summary>One reading of the view.</summary>
    private sealed class Reading(ViewReader view, ViewAsk[] asks, CancellationToken cancellationToken)
    {
        private readonly ViewAsk[] _forAll = [.. asks.Where(a => a.Since == 0)];
        private readonly ViewAsk[] _forSome = [.. asks.Where(a => a.Since > 0)];
        private readonly long _since = asks.Where(a => a.Since > 0).Select(a => a.Since).DefaultIfEmpty(long.MaxValue).Min();
        private readonly FeedLines _live = view._database.NewLines();
        private readonly FeedLines _all = view._database.NewLines();
        private readonly FeedLines _some = view._database.NewLines();
        private byte[] _row = new byte[4096];
        private long _count;
        private Int128 _sum;
        private bool _isFirst;
        private bool _hasChanges;

        public async Task TakeAsync(FeedStamp stamp, NpgsqlDataReader rows)
        {
            Begin(stamp);
            var label = stamp.Snapshot.Xmin;
            var hasFractions = stamp.Table.Key.Any(k => k.KeyFitness == KeyFitness.Finite);
            while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                Take(rows, label, hasFractions);
                if (_all.Full.Count > 0)
                    await SendAsync(_forAll, _all).ConfigureAwait(false);
                if (_some.Full.Count > 0)
                    await SendAsync(_forSome, _some).ConfigureAwait(false);
            }
        }

        public async Task<FeedStamp> EndAsync(FeedStamp stamp)
        {
            var label = stamp.Snapshot.Xmin;
            if (view._rows is { } known)
            {
                known.End(
                    label,
                    (key, since, isNew) =>
                    {
                        _hasChanges |= isNew;
                        if (isNew && !_isFirst && !IsTooMuch)
                            _live.Append(label, label, isDeleted: true, key);
                        if (since >= _since)
                            _some.Append(label, label, isDeleted: true, key);
                    }
                );
                if (_isFirst)
                    view._range = new ViewRange(label, stamp.Snapshot.Xmax, IsWhole: false);
                if (known.Floor > view._range.Floor)
                    view._range = view._range with { Floor = known.Floor };
            }

            var content = new ViewContent(_count, _sum);
            if (view._rows is null)
            {
                // Named by its contents: as long as those are the same, nothing has changed.
                view._database.ViewName = content.Name;
                view._range = new ViewRange(0, long.MaxValue, IsWhole: true);
                stamp = stamp with { Identity = FeedIdentity.OfView(stamp.Identity, content.Name) };
            }

            await SendAsync(_forAll, _all, isLast: true).ConfigureAwait(false);
            await SendAsync(_forSome, _some, isLast: true).ConfigureAwait(false);
            view._metrics.Read(_all);
            view._metrics.Read(_some);
            view._metrics.Read(_live);
            var isNew = _isFirst || view._isTorn || IsTooMuch || stamp.Identity != view._log.Identity;
            view._changed = _hasChanges || view._isTorn || (view._rows is null && content != view._content);
            (view._content, view._isTorn) = (content, false);
            stamp = view.Reached(stamp, _live, isNew);
            foreach (var ask in asks)
                ask.Complete(stamp);
            return stamp;
        }

        public void Fail(Exception error)
        {
            foreach (var ask in asks)
                ask.Fail(error);
        }

        /// <summary>Whether the changes exceed what the log holds; followers then ask for them.</summary>
        private bool IsTooMuch => _live.Bytes > view._options.LiveBytes;

        private void Begin(FeedStamp stamp)
        {
            // Another server or another key: nothing can be compared with the previous reading.
            if (view._of is { } of && FeedIdentity.IsSameView(of, stamp.Identity))
            {
                _isFirst = view._rows is not null && view._range.IsWhole;
            }
            else
            {
                _isFirst = true;
                view._rows = new ViewRows();
            }

            view._of = stamp.Identity;
            view._rows?.Begin();
        }

        private void Take(NpgsqlDataReader rows, long label, bool hasFractions)
        {
            var length = checked((int)rows.GetBytes(0, 0, null, 0, 0));
            if (_row.Length < length)
                _row = new byte[length * 2];
            for (var read = 0; read < length; )
                read += (int)rows.GetBytes(0, read, _row, read, length - read);
            var json = _row.AsSpan(0, length);
            _count++;
            _sum += rows.GetInt64(1);
            if (_forAll.Length > 0)
                _all.Append(label, label, isDeleted: false, json);
            if (view._rows is not { } known)
                return;
            // Every client has what the first reading found.
            var change = known.See(view._key.Of(json, hasFractions), DigestOf(json), _isFirst ? 0 : label, out var since);
            if (change == RowChange.Duplicate || known.Bytes > view._options.ViewBytes)
            {
                GiveUp(change);
                return;
            }

            _hasChanges |= change == RowChange.Changed;
            if (change == RowChange.Changed && !_isFirst && !IsTooMuch)
                _live.Append(label, label, isDeleted: false, json);
            if (since >= _since)
                _some.Append(label, label, isDeleted: false, json);
        }

        /// <summary>Stops comparing rows, from here on.</summary>
        private void GiveUp(RowChange change)
        {
            view._rows = null;
            PostgresLog.Notice(
                view._options.Logger,
                change == RowChange.Duplicate
                    ? $"the rows of {view._options.Table} cannot be told apart by their key, so all clients start over "
                        + $"whenever it changes. Name the columns that identify a row."
                    : $"{view._options.Table} has too many rows to compare in memory, so all clients start over whenever "
                        + $"it changes. The rows of a view with txid and tombstones need not be compared."
            );
        }

        private static async Task SendAsync(ViewAsk[] to, FeedLines lines, bool isLast = false)
        {
            var pieces = isLast ? lines.Take() : [.. lines.Full];
            if (!isLast)
                lines.Full.Clear();
            foreach (var piece in pieces)
            {
                foreach (var ask in to)
                    await ask.WriteAsync(piece).ConfigureAwait(false);
            }
        }

        private static UInt128 DigestOf(ReadOnlySpan<byte> json)
        {
            Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(json, digest);
            return MemoryMarshal.Read<UInt128>(digest);
        }
    }
}

/// <summary>A digest of all rows of a view.</summary>
/// <param name="Rows">How many.</param>
/// <param name="Sum">The sum of their digests.</param>
internal sealed record ViewContent(long Rows, Int128 Sum)
{
    /// <summary>For an identity.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"{Rows:x}_{(UInt128)Sum:x}");
}

/// <summary>The cursors from which a view can be continued.</summary>
/// <param name="Floor">The lowest cursor issued here that misses nothing.</param>
/// <param name="From">A cursor above this one is valid wherever it was issued: it is newer than the first reading here.</param>
/// <param name="IsWhole">Whether the rows cannot be compared, so that a cursor is valid only for the contents it was issued for.</param>
internal sealed record ViewRange(long Floor, long From, bool IsWhole);
