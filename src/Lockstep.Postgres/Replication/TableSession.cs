using Lockstep.Engine.Serving;
using Lockstep.Postgres.Feed;
using Npgsql;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// One table in one connection's stream, on its way into the table's change log. Rows are gathered until the stream pauses or there are
/// many, and then converted to JSON, written, committed and shown to followers together. Runs on one thread at a time.
/// </summary>
internal sealed class TableSession : IDisposable
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(5);

    private readonly StreamSession _session;
    private readonly NpgsqlConnection _connection;
    private readonly CancellationTokenSource _stop;
    private readonly GatheredRows _rows = new();
    private readonly List<LoggedTransaction> _ended = [];
    private readonly List<long> _unseen = [];
    private readonly long _from;
    private TableDescription _table = null!;
    private OpenTransaction? _open;
    private PgSnapshot? _before;
    private string? _moving;

    public TableSession(StreamSession session, StreamedTable streamed, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        (_session, Streamed, _connection) = (session, streamed, connection);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, streamed.Ended);
        _from = Log.Position;
    }

    public StreamedTable Streamed { get; }

    /// <summary>Whether the table cannot start yet, because transactions that may have changed it unreported must end first.</summary>
    public bool IsPending => _before is not null;

    /// <summary>Whether another table now has its name.</summary>
    public bool IsReplaced { get; private set; }

    private ChangeLog Log => Streamed.Log;

    private LiveLog<CommitPosition> Live => Streamed.Live;

    private LogEpoch Epoch => Log.Epoch!;

    /// <summary>Cancelled with the stream's connection, and with the feed.</summary>
    public CancellationToken Ended => _stop.Token;

    /// <summary>Discards what has not been committed.</summary>
    public void Dispose()
    {
        Log.Rollback();
        _stop.Dispose();
    }

    /// <summary>Whether a relation is the table or one of its partitions.</summary>
    public bool Has(uint relation) => _table.Relations.Contains(relation);

    /// <summary>Whether a relation may be a partition that was added since the table was last examined.</summary>
    public bool MayHave(uint relation) => _table.IsPartitioned && !Has(relation);

    /// <summary>Whether it is the table itself.</summary>
    public bool Is(uint relation) => _table.Oid == relation;

    /// <summary>Forgets a relation, because the stream describes it differently now.</summary>
    public void Forget(uint relation) => _rows.Forget(relation);

    /// <summary>Continues the log's stretch, or begins another if the table has changed.</summary>
    public void Begin(FeedStamp stamp)
    {
        Describe(stamp);
        if (!Epoch.GoesOnWith(stamp))
            StartOver(stamp, "its definition has changed");
        else if (stamp.Identity != Epoch.Table)
            Log.Move(stamp.Identity);
        if (Live.Identity != Epoch.Identity)
            Live.Restart(Epoch.Identity, Place(Log.Position));
    }

    /// <summary>
    /// Starts the log of a table that has just been published. The stream does not report what transactions that were open then wrote, so
    /// they must end first. Whatever clients start with must show what is reported meanwhile.
    /// </summary>
    public void Wait(FeedStamp stamp, string slot)
    {
        Log.Forget(slot);
        Live.Restart("none", new CommitPosition(0));
        Describe(stamp);
        _before = stamp.Snapshot;
    }

    /// <summary>Starts if all transactions that must end have ended.</summary>
    /// <param name="position">The position of the next message in the stream, or one before it.</param>
    public async Task TryBeginAsync(long position)
    {
        var stamp = await LookAsync().ConfigureAwait(false);
        _unseen.RemoveAll(stamp.Snapshot.Shows);
        if (stamp.Snapshot.Xmin < _before!.Xmax || _unseen.Count > 0)
            return;
        _before = null;
        Describe(stamp);
        Log.Begin(LogEpoch.First(stamp), position);
        Live.Restart(Epoch.Identity, Place(position));
    }

    /// <summary>The open transaction has changed a row of the table.</summary>
    public async Task TakeAsync(PgOutputReplicationMessage message, RelationMessage relation, LoggedTransaction transaction)
    {
        if (Open(transaction) is not { } open)
            return;
        open.IsRelevant = true;
        if (!open.IsDropped && !_rows.Fit(relation))
        {
            // The table was altered after it was last examined. Unless only a column was added, clients start over when the transaction has
            // ended.
            await RenewAsync(transaction).ConfigureAwait(false);
            open.IsOdd |= !_rows.Fit(relation);
        }

        if (open.IsDropped)
            return;
        try
        {
            await _rows.ReadAsync(message, relation, open.Transaction, Ended).ConfigureAwait(false);
        }
        catch (InvalidDataException)
        {
            open.EndsEpoch = true;
        }

        if (_rows.AreMany)
            await SpillAsync(open, isForced: false).ConfigureAwait(false);
    }

    /// <summary>The open transaction has emptied the table or one of its partitions.</summary>
    public void Truncate(LoggedTransaction transaction)
    {
        if (Open(transaction) is { } open)
            (open.IsRelevant, open.EndsEpoch) = (true, true);
    }

    /// <summary>Describes the table as it is at this point of the open transaction, which may have added columns or partitions.</summary>
    public async Task RenewAsync(LoggedTransaction transaction)
    {
        if (Open(transaction) is not { } open)
            return;
        var stamp = await LookAtAsync(transaction.Txid).ConfigureAwait(false);
        if (ReferenceEquals(stamp.Table, _table))
            return;
        var stretch = Log.Epoch;
        if (_rows.Count > 0)
            await SpillAsync(open, isForced: true).ConfigureAwait(false);
        if (open.IsShown)
        {
            Describe(stamp);
        }
        else if (!stretch!.GoesOnWith(stamp))
        {
            (open.IsRelevant, open.IsOdd) = (true, true);
        }
        else if (Epoch == stretch)
        {
            // The rows contain what the transaction added, so they are committed under the identity that includes it.
            _moving = stamp.Identity == Epoch.Table ? null : stamp.Identity;
            Describe(stamp);
        }
    }

    /// <summary>The open transaction has ended.</summary>
    public async Task EndAsync(long end)
    {
        if (_open is not { } ended)
            return;
        _open = null;
        if (IsPending)
        {
            _unseen.Add(ended.Transaction.Txid);
            return;
        }

        if (ended.IsDropped)
        {
            _rows.TakeFrom(ended.First);
            if (ended.IsSpilled)
                Log.Rollback();
        }

        if (!ended.IsRelevant)
            return;
        if (!ended.IsShown && (ended.EndsEpoch || ended.IsOdd))
        {
            // No client gets to the end of the transaction within the stretch before it.
            await FlushAsync(_session.Position).ConfigureAwait(false);
            StartOver(
                await LookAtAsync(ended.Transaction.Txid).ConfigureAwait(false),
                ended.IsOdd ? "its definition or storage has changed" : "it was truncated, or a change did not identify its row",
                end
            );
            return;
        }

        // The stretch began with what every snapshot shows, including that the table was altered or truncated.
        _ended.Add(ended.Transaction);
        if (ended.IsSpilled)
            await FlushAsync(end).ConfigureAwait(false);
    }

    /// <summary>Commits what has ended, and shows it to followers.</summary>
    /// <param name="position">Everything before it in the stream has been processed.</param>
    public async Task FlushAsync(long position)
    {
        var from = Log.Position;
        if (IsPending || position <= from)
            return;
        if (_ended.Count == 0)
        {
            Log.Advance(position);
            return;
        }

        var pieces = await MakeAsync().ConfigureAwait(false);
        var bytes = pieces?.Sum(p => (long)p.Lines.Length) ?? 0;
        var wasSpilled = Log.IsWriting;
        if (bytes > 0)
            Log.Write(pieces!);
        Log.Commit(_ended, position, _moving);
        if (_moving is not null || wasSpilled || bytes > Streamed.Options.LiveBytes)
        {
            Live.Restart(Epoch.Identity, Place(position));
        }
        else
        {
            Live.Append(new LiveBatch<CommitPosition>(Place(from), Place(position), [.. (pieces ?? []).Select(p => p.Lines)], bytes));
        }

        _moving = null;
        var newest = _ended.Max(t => t.Txid);
        _ended.Clear();
        _rows.Clear();
        if (pieces is null)
            Compare(await LookAtAsync(newest).ConfigureAwait(false));
    }

    /// <summary>
    /// Checks for what the stream does not report, and makes its progress durable; nothing may be left to flush.
    /// </summary>
    public async Task LookAgainAsync()
    {
        var stamp = await LookAsync().ConfigureAwait(false);
        Compare(stamp);
        Log.Checkpoint();
        var position = Place(Log.Position);
        if (Live.End is { } end && end.Cursor < position.Cursor)
            Live.Append(new LiveBatch<CommitPosition>(end, position, [], 0));
        Log.Trim(Streamed.Options.Replication!.LogBytes, stamp.Snapshot.Xmin);
    }

    /// <summary>The open transaction's changes to the table; null for a transaction that is already in the log.</summary>
    private OpenTransaction? Open(LoggedTransaction transaction)
    {
        if (transaction.Lsn < _from && !IsPending)
            return null;
        return _open ??= new OpenTransaction(transaction, _rows.Count) { IsShown = IsPending || Epoch.Base.Shows(transaction.Txid) };
    }

    /// <summary>Makes room in the middle of a transaction: its rows are written, and nobody sees them before it has ended (I8).</summary>
    private async Task SpillAsync(OpenTransaction open, bool isForced)
    {
        if (open.First > 0 || _ended.Count > 0)
        {
            var rest = _rows.TakeFrom(open.First);
            var stretch = Epoch;
            await FlushAsync(_session.Position).ConfigureAwait(false);

            // Clients have to start over anyway. Let them do so once more after this transaction, half of which was written for a table
            // that no longer exists.
            if (Epoch != stretch)
                open.EndsEpoch = true;
            open.First = 0;
            if (open.IsDropped)
                return;
            _rows.Add(rest);
            if (!isForced && !_rows.AreMany)
                return;
        }

        if (open.IsDropped)
            return;
        var pieces = await MakeAsync().ConfigureAwait(false);
        open.IsSpilled = true;
        if (pieces is not null)
            Log.Write(pieces);
        else
            open.IsOdd = true;
        _rows.Clear();
    }

    /// <summary>The lines of the gathered changes; null if the table no longer matches their description.</summary>
    private async Task<List<LogPiece>?> MakeAsync()
    {
        try
        {
            // What is looked up must be at least as new as the change, or nothing would correct it.
            var lookedUp = _rows.LookedUp();
            foreach (var txid in lookedUp)
                await LookAtAsync(txid).ConfigureAwait(false);
            var pieces = await _rows.MakeAsync(_connection, Streamed, Ended).ConfigureAwait(false);

            // It may be newer than the change, of a commit that a crash could still undo: a look waits until that is on disk.
            if (lookedUp.Count > 0)
                await LookAsync().ConfigureAwait(false);
            return pieces;
        }
        catch (PostgresException e) when (!PostgresErrors.IsPassing(e))
        {
            var stamp = await LookAtAsync(_rows.Newest).ConfigureAwait(false);
            if (Epoch.GoesOnWith(stamp))
                throw;
            return null;
        }
    }

    private async Task<FeedStamp> LookAsync()
    {
        var stamp = await Streamed.Database.LookAsync(_connection, Ended).ConfigureAwait(false);
        Note(stamp);
        return stamp;
    }

    /// <summary>Polls until a snapshot shows a transaction: it has committed, but snapshots may not show it yet.</summary>
    private async Task<FeedStamp> LookAtAsync(long txid)
    {
        while (true)
        {
            var stamp = await LookAsync().ConfigureAwait(false);
            if (stamp.Snapshot.Shows(txid))
                return stamp;
            await Task.Delay(Moment, Streamed.Time, Ended).ConfigureAwait(false);
        }
    }

    private void Compare(FeedStamp stamp)
    {
        if (!Epoch.GoesOnWith(stamp))
        {
            StartOver(stamp, "its definition or storage has changed");
            return;
        }

        if (stamp.Identity != Epoch.Table)
            Move(stamp);
        if (!ReferenceEquals(stamp.Table, _table))
            Describe(stamp);
    }

    /// <summary>Clients continue under a new identity, which shows that they have what was added; nothing may be left to flush.</summary>
    private void Move(FeedStamp stamp)
    {
        Log.Move(stamp.Identity);
        _moving = null;
        Live.Restart(Epoch.Identity, Place(Log.Position));
    }

    private CommitPosition Place(long position) => new(position, Epoch.Timeline);

    /// <summary>Begins another stretch with what a snapshot shows; nothing may be left to flush.</summary>
    private void StartOver(FeedStamp stamp, string why, long end = 0)
    {
        _moving = null;
        var position = Math.Max(Math.Max(Log.Position, _session.Position), end);
        Log.Begin(Epoch with { Number = Epoch.Number + 1, Table = stamp.Identity, Base = stamp.Snapshot }, position);

        // Another table of the same name is not in the publication.
        IsReplaced = _table.Oid != stamp.Table.Oid;
        Describe(stamp);
        Live.Restart(Epoch.Identity, Place(position));
        Streamed.Metrics.Resynced();
        PostgresLog.Resync(Streamed.Options.Logger, Streamed.Options.Table, why);
        _session.Moved();
    }

    private void Describe(FeedStamp stamp)
    {
        _table = stamp.Table;
        _rows.Describe(stamp.Table);
        _session.Rerouted();
        Note(stamp);
    }

    private void Note(FeedStamp stamp)
    {
        _session.Saw(stamp.Snapshot);
        Streamed.Metrics.Polled(stamp.Snapshot);
    }
}
