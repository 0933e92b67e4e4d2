using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Lockstep.Postgres.Feed;
using Microsoft.Data.Sqlite;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// The durable log of what the stream brought, in an SQLite file: only what is in it is confirmed to PostgreSQL. One thread writes; any
/// number may read, and see what was committed. Positions are places in the server's log (LSNs) as numbers.
/// </summary>
internal sealed class ChangeLog : IDisposable
{
    /// <summary>
    /// Format 1 does not record how far the start of a stretch reaches, so a stretch started under it does not continue after a failover.
    /// </summary>
    private const int FormatVersion = 2;
    private const string Size = "SELECT coalesce(sum(length(lines)), 0) FROM piece";

    private readonly string _connectionString;
    private readonly FileStream _lock;
    private readonly SqliteConnection _writer;
    private bool _open;
    private volatile LogEpoch? _epoch;
    private long _position;
    private long _durable;
    private long _floor;

    private ChangeLog(string path, FileStream fileLock)
    {
        _lock = fileLock;
        _connectionString = new SqliteConnectionStringBuilder { DataSource = path, DefaultTimeout = 30 }.ToString();
        _writer = new SqliteConnection(_connectionString);
        _writer.Open();
        SqliteLibrary.Distrust(_writer);

        // FULL: PostgreSQL need not resend what has been committed, so it must survive a power failure.
        Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
        Execute(
            """
            CREATE TABLE IF NOT EXISTS log (version INTEGER NOT NULL, slot TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL,
                relation TEXT NOT NULL,
                base TEXT NOT NULL, position INTEGER NOT NULL, floor INTEGER NOT NULL, floor_piece INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS piece (id INTEGER PRIMARY KEY AUTOINCREMENT, last_lsn INTEGER NOT NULL, lines BLOB NOT NULL);
            CREATE INDEX IF NOT EXISTS piece_lsn ON piece (last_lsn);
            CREATE TABLE IF NOT EXISTS txn (lsn INTEGER PRIMARY KEY, txid INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS txn_txid ON txn (txid, lsn);
            """
        );
        Load();
        Bytes = Scalar(Size);
    }

    /// <summary>
    /// The slot that fills the log; null before the first one. Kept when the slot is dropped, so that any remains of it are known to be
    /// ours.
    /// </summary>
    public string? Slot { get; private set; }

    /// <summary>The stretch being served; null while there is none.</summary>
    public LogEpoch? Epoch => _epoch;

    /// <summary>Everything before it is in the log, or did not have to be.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>
    /// The position to which the log falls back after a crash; there may be no change of the table between it and <see cref="Position"/>.
    /// </summary>
    public long Durable => Volatile.Read(ref _durable);

    /// <summary>The lowest cursor that is served.</summary>
    public long Floor => Volatile.Read(ref _floor);

    /// <summary>Whether something written has not been committed yet.</summary>
    public bool IsWriting => _open;

    /// <summary>The size of all lines, including those not yet committed.</summary>
    public long Bytes { get; private set; }

    /// <summary>Opens the log, creating it if necessary, and locks it.</summary>
    /// <exception cref="PostgresReplicationException">Another feed has it open, or it is not a change log.</exception>
    public static ChangeLog Open(string path)
    {
        SqliteLibrary.Require();
        FileStream? fileLock = null;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            fileLock = LockFile.Open(RealPath.Of(path) + ".lock");
            return new ChangeLog(path, fileLock);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SqliteException)
        {
            fileLock?.Dispose();
            throw new PostgresReplicationException(
                $"The change log {path} cannot be opened: {e.Message}",
                "Each feed needs a log of its own, in a folder that it may write to. A damaged log can be "
                    + "deleted: all clients then resync.",
                e
            );
        }
    }

    /// <summary>Records that a slot is about to be created, and forgets everything that an earlier slot brought.</summary>
    public void Forget(string slot)
    {
        Rollback();
        Execute("BEGIN IMMEDIATE; DELETE FROM log; DELETE FROM piece; DELETE FROM txn");
        Execute("INSERT INTO log VALUES ($0, $1, '', 0, '', '', 0, 0, 0)", FormatVersion, slot);
        Execute("COMMIT");
        Bytes = 0;
        Load();
    }

    /// <summary>
    /// Begins a stretch at a position. Rows of the previous stretch are no longer served and are dropped; its transactions are kept as long
    /// as a snapshot may not show them.
    /// </summary>
    public void Begin(LogEpoch epoch, long position)
    {
        Rollback();
        Execute("BEGIN IMMEDIATE; DELETE FROM piece");
        Execute(
            "UPDATE log SET version = $5, id = $0, epoch = $1, relation = $2, base = $3, position = $4, floor = $4",
            epoch.Log,
            epoch.Number,
            epoch.Table,
            $"{epoch.Base} {epoch.Base.Mark}",
            position,
            FormatVersion
        );
        Execute("COMMIT");
        Bytes = 0;
        Load();
    }

    /// <summary>
    /// Continues the stretch: on another server after a failover, on the same server's new timeline, or with additions to the table.
    /// </summary>
    /// <param name="table">The identity of what the database now shows.</param>
    public void Move(string table)
    {
        Rollback();
        Execute("UPDATE log SET relation = $0", table);
        _epoch = _epoch! with { Table = table };
    }

    /// <summary>Writes lines, which nobody sees until <see cref="Commit"/>.</summary>
    public void Write(IEnumerable<LogPiece> pieces)
    {
        Open();
        foreach (var piece in pieces)
        {
            Execute("INSERT INTO piece (last_lsn, lines) VALUES ($0, $1)", piece.LastLsn, piece.Lines.ToArray());
            Bytes += piece.Lines.Length;
        }
    }

    /// <summary>Makes what was written durable and visible, and advances the position.</summary>
    /// <param name="transactions">Those that changed the table.</param>
    /// <param name="position">Everything before it has arrived.</param>
    /// <param name="table">The identity of what the database shows, if something was added to it.</param>
    public void Commit(IEnumerable<LoggedTransaction> transactions, long position, string? table = null)
    {
        Open();
        if (table is not null)
            Execute("UPDATE log SET relation = $0", table);
        foreach (var transaction in transactions)
            Execute("INSERT OR REPLACE INTO txn VALUES ($0, $1)", transaction.Lsn, transaction.Txid);
        Execute("UPDATE log SET position = $0", position);
        Close("COMMIT");
        if (table is not null)
            _epoch = _epoch! with { Table = table };
        Volatile.Write(ref _position, position);
        Volatile.Write(ref _durable, position);
    }

    /// <summary>Moves the position past what did not change the table; nothing may be written but uncommitted.</summary>
    public void Advance(long position) => Volatile.Write(ref _position, position);

    /// <summary>Makes the position durable; does nothing if it already is.</summary>
    public void Checkpoint()
    {
        if (Epoch is not null && !_open && Durable < Position)
            Commit([], Position);
    }

    /// <summary>Discards what was written since the last commit.</summary>
    public void Rollback()
    {
        if (!_open)
            return;
        Close("ROLLBACK");
        Bytes = Scalar(Size);
    }

    /// <summary>
    /// Drops the oldest lines until the log fits <paramref name="capacity"/>, but never those that a snapshot may not show yet: below the
    /// horizon all transactions have ended. Nothing may be written but uncommitted.
    /// </summary>
    public void Trim(long capacity, long horizon)
    {
        Execute("DELETE FROM txn WHERE lsn < (SELECT floor FROM log) AND txid < $0", horizon);
        if (Bytes <= capacity)
            return;
        var unseen = Scalar("SELECT coalesce(min(lsn), 9223372036854775807) FROM txn WHERE txid >= $0", horizon);
        var (last, freed) = (0L, 0L);
        using (var pieces = Command(_writer, "SELECT last_lsn, length(lines) FROM piece ORDER BY id"))
        using (var row = pieces.ExecuteReader())
        {
            // Down to nine tenths, so that not every commit has to trim.
            while (Bytes - freed > capacity - (capacity / 10) && row.Read() && row.GetInt64(0) < unseen)
                (last, freed) = (row.GetInt64(0), freed + row.GetInt64(1));
        }

        if (freed == 0)
            return;

        // All pieces that end with the same transaction, so that the floor lies between two transactions.
        Execute("BEGIN IMMEDIATE");
        Execute("UPDATE log SET floor = $0 + 1, floor_piece = (SELECT max(id) FROM piece WHERE last_lsn <= $0)", last);
        Execute("DELETE FROM piece WHERE last_lsn <= $0", last);
        Execute("COMMIT");
        Bytes = Scalar(Size);
        Volatile.Write(ref _floor, last + 1);
    }

    /// <summary>
    /// The cursor from which the log completes what a snapshot shows; null while the snapshot does not yet show what the log has already
    /// released, because the server's log reports a commit before snapshots show it.
    /// </summary>
    public long? CursorFor(PgSnapshot snapshot)
    {
        if (_epoch is not { } epoch || !epoch.Base.IsWithin(snapshot))
            return null;
        var reached = Position;
        using var connection = OpenReader();
        using var transaction = connection.BeginTransaction(deferred: true);
        var (position, floor) = (0L, 0L);
        using (var state = Command(connection, "SELECT position, floor FROM log"))
        using (var row = state.ExecuteReader())
        {
            row.Read();
            (position, floor) = (Math.Max(reached, row.GetInt64(0)), row.GetInt64(1));
        }

        using var command = Command(connection, "SELECT txid, lsn FROM txn WHERE txid >= $0", snapshot.Xmin);
        using var hidden = command.ExecuteReader();
        while (hidden.Read())
        {
            if (snapshot.Shows(hidden.GetInt64(0)))
                continue;
            var lsn = hidden.GetInt64(1);
            if (lsn < floor)
                return null;
            position = Math.Min(position, lsn);
        }

        return position;
    }

    /// <summary>Reads pieces in order: the first few that hold rows at or after a cursor, and come after a piece.</summary>
    /// <param name="identity">The stretch to which the cursor belongs.</param>
    /// <param name="cursor">The cursor.</param>
    /// <param name="after">The piece read last, 0 for none; advanced to the last one returned.</param>
    /// <returns>Empty at the end; null if what follows no longer exists, or the stretch has ended.</returns>
    public IReadOnlyList<byte[]>? Read(string identity, long cursor, ref long after)
    {
        const int PiecesAtOnce = 16;
        using var connection = OpenReader();
        using var transaction = connection.BeginTransaction(deferred: true);
        using (var state = Command(connection, "SELECT id, epoch, relation, base, floor, floor_piece FROM log"))
        using (var found = state.ExecuteReader())
        {
            if (!found.Read() || EpochOf(found, 0)?.Identity != identity)
                return null;
            if (after > 0 ? after < found.GetInt64(5) : cursor < found.GetInt64(4))
                return null;
        }

        using var command = Command(
            connection,
            "SELECT id, lines FROM piece WHERE id > $0 AND last_lsn >= $1 ORDER BY id LIMIT $2",
            after,
            cursor,
            PiecesAtOnce
        );
        using var row = command.ExecuteReader();
        var pieces = new List<byte[]>();
        for (var bytes = 0L; bytes < PageSize.Bytes && row.Read(); bytes += pieces[^1].Length)
        {
            after = row.GetInt64(0);
            pieces.Add(row.GetFieldValue<byte[]>(1));
        }

        return pieces;
    }

    public void Dispose()
    {
        _writer.Dispose();
        SqliteConnection.ClearPool(new SqliteConnection(_connectionString));
        _lock.Dispose();
    }

    private static LogEpoch? EpochOf(SqliteDataReader row, int at) =>
        row.GetString(at).Length == 0
            ? null
            : new LogEpoch(row.GetString(at), row.GetInt32(at + 1), row.GetString(at + 2), BaseOf(row.GetString(at + 3).Split(' ')));

    private static PgSnapshot BaseOf(string[] text) =>
        PgSnapshot.Parse(text[0]).At(text is [_, var place] && FeedMark.TryParse(place, out var mark) ? mark : null);

    private void Load()
    {
        using var command = Command(_writer, "SELECT version, slot, position, floor, id, epoch, relation, base FROM log");
        using var row = command.ExecuteReader();
        if (!row.Read())
            return;
        if (row.GetInt32(0) is < 1 or > FormatVersion)
            throw new IOException($"it was written by another version of Lockstep (format {row.GetInt32(0)}, not {FormatVersion})");
        Slot = row.GetString(1);
        Volatile.Write(ref _position, row.GetInt64(2));
        Volatile.Write(ref _durable, row.GetInt64(2));
        Volatile.Write(ref _floor, row.GetInt64(3));
        _epoch = EpochOf(row, 4);
    }

    private SqliteConnection OpenReader()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        SqliteLibrary.Distrust(connection);
        return connection;
    }

    private void Open()
    {
        if (_open)
            return;
        Execute("BEGIN IMMEDIATE");
        _open = true;
    }

    private void Close(string how)
    {
        _open = false;
        Execute(how);
    }

    private void Execute(string sql, params object[] parameters)
    {
        using var command = Command(_writer, sql, parameters);
        command.ExecuteNonQuery();
    }

    private long Scalar(string sql, params object[] parameters)
    {
        using var command = Command(_writer, sql, parameters);
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, params object[] parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Constant text; values are parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        for (var i = 0; i < parameters.Length; i++)
            command.Parameters.AddWithValue($"${i}", parameters[i]);
        return command;
    }
}
