using Microsoft.Data.Sqlite;

namespace Lockstep.Ticks;

/// <summary>
/// The tables of a store in an SQLite file, and each statement on them. Instants and lengths of time are whole milliseconds.
/// </summary>
internal static class SqliteTickTables
{
    /// <summary>Makes the tables with their settings, unless they are there.</summary>
    public static void Create(SqliteConnection connection, TickSettings settings)
    {
        using var transaction = connection.BeginTransaction(deferred: false);
        using var command = Command(
            connection,
            transaction,
            """
            CREATE TABLE IF NOT EXISTS lockstep_tick_settings (
                one INTEGER PRIMARY KEY CHECK (one = 1), default_tick_ms INTEGER NOT NULL, skew_bound_ms INTEGER, latency_ms INTEGER NOT NULL,
                identity TEXT, version INTEGER NOT NULL DEFAULT 0);
            CREATE TABLE IF NOT EXISTS lockstep_tick_tuples (
                name TEXT NOT NULL, active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL, PRIMARY KEY (name, active_at_ms)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS lockstep_tick_audit (
                id INTEGER PRIMARY KEY AUTOINCREMENT, change_id TEXT NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL,
                active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL, moved_from_ms INTEGER);
            CREATE INDEX IF NOT EXISTS lockstep_tick_audit_name ON lockstep_tick_audit (name, id);
            INSERT OR IGNORE INTO lockstep_tick_settings (one, default_tick_ms, skew_bound_ms, latency_ms) VALUES (1, $tick, $skew, $latency);
            """,
            ("$tick", (long)settings.DefaultTick.TotalMilliseconds),
            ("$skew", settings.SkewBound is { } skew ? (long)skew.TotalMilliseconds : DBNull.Value),
            ("$latency", (long)settings.Latency.TotalMilliseconds)
        );
        command.ExecuteNonQuery();
        if (!HasStamp(connection, transaction))
        {
            using var columns = Command(
                connection,
                transaction,
                """
                ALTER TABLE lockstep_tick_settings ADD COLUMN identity TEXT;
                ALTER TABLE lockstep_tick_settings ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
                """
            );
            columns.ExecuteNonQuery();
        }

        using var identity = Command(
            connection,
            transaction,
            "UPDATE lockstep_tick_settings SET identity = $identity WHERE identity IS NULL",
            ("$identity", Guid.NewGuid().ToString("N"))
        );
        identity.ExecuteNonQuery();
        transaction.Commit();
    }

    /// <summary>Which store this is; unknown for one that an older version made and none has written to since.</summary>
    public static TickStoreStamp ReadStamp(SqliteConnection connection, SqliteTransaction? transaction)
    {
        if (!HasStamp(connection, transaction))
            return TickStoreStamp.Unknown;
        using var command = Command(connection, transaction, "SELECT identity, version FROM lockstep_tick_settings");
        using var reader = command.ExecuteReader();
        return reader.Read() && !reader.IsDBNull(0) ? new TickStoreStamp(reader.GetString(0), reader.GetInt64(1)) : TickStoreStamp.Unknown;
    }

    private static bool HasStamp(SqliteConnection connection, SqliteTransaction? transaction)
    {
        using var command = Command(
            connection,
            transaction,
            "SELECT count(*) FROM pragma_table_info('lockstep_tick_settings') WHERE name = 'version'"
        );
        return (long)command.ExecuteScalar()! == 1;
    }

    public static TickSettings ReadSettings(SqliteConnection connection)
    {
        using var command = Command(connection, null, "SELECT default_tick_ms, skew_bound_ms, latency_ms FROM lockstep_tick_settings");
        using var reader = command.ExecuteReader();
        reader.Read();
        return new TickSettings(
            TimeSpan.FromMilliseconds(reader.GetInt64(0)),
            reader.IsDBNull(1) ? null : TimeSpan.FromMilliseconds(reader.GetInt64(1)),
            TimeSpan.FromMilliseconds(reader.GetInt64(2))
        );
    }

    /// <summary>The names of all variables, in ordinal order.</summary>
    public static IReadOnlyList<string> ReadNames(SqliteConnection connection)
    {
        using var command = Command(connection, null, "SELECT DISTINCT name FROM lockstep_tick_tuples ORDER BY name");
        using var reader = command.ExecuteReader();
        var names = new List<string>();
        while (reader.Read())
            names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>A variable's tuples, in no order.</summary>
    public static List<TickTuple> ReadTuples(SqliteConnection connection, SqliteTransaction? transaction, string variable)
    {
        using var command = Command(
            connection,
            transaction,
            "SELECT active_at_ms, value, tick_ms FROM lockstep_tick_tuples WHERE name = $name",
            ("$name", variable)
        );
        using var reader = command.ExecuteReader();
        var tuples = new List<TickTuple>();
        while (reader.Read())
            tuples.Add(ReadTuple(reader, 0));
        return tuples;
    }

    /// <summary>The newest entries of the audit, the oldest of them first.</summary>
    public static IReadOnlyList<TickAuditEntry> ReadAudit(SqliteConnection connection, string variable, int newest)
    {
        using var command = Command(
            connection,
            null,
            """
            SELECT change_id, at_ms, who, action, active_at_ms, value, tick_ms, moved_from_ms FROM lockstep_tick_audit
            WHERE name = $name ORDER BY id DESC LIMIT $newest
            """,
            ("$name", variable),
            ("$newest", newest)
        );
        using var reader = command.ExecuteReader();
        var entries = new List<TickAuditEntry>();
        while (reader.Read())
        {
            var operation = new TickOperation(
                Enum.Parse<TickAction>(reader.GetString(3)),
                ReadTuple(reader, 4),
                reader.IsDBNull(7) ? null : FromMilliseconds(reader.GetInt64(7))
            );
            entries.Add(
                new TickAuditEntry(
                    Guid.Parse(reader.GetString(0)),
                    FromMilliseconds(reader.GetInt64(1)),
                    reader.GetString(2),
                    variable,
                    operation
                )
            );
        }

        entries.Reverse();
        return entries;
    }

    /// <summary>Writes an edit, and into the audit who made it.</summary>
    public static void Apply(
        SqliteConnection connection,
        SqliteTransaction transaction,
        string variable,
        string who,
        DateTimeOffset at,
        TickEdit edit
    )
    {
        foreach (var instant in edit.Removals)
        {
            using var delete = Command(
                connection,
                transaction,
                "DELETE FROM lockstep_tick_tuples WHERE name = $name AND active_at_ms = $at",
                ("$name", variable),
                ("$at", Milliseconds(instant))
            );
            delete.ExecuteNonQuery();
        }

        foreach (var tuple in edit.Writes)
        {
            using var write = Command(
                connection,
                transaction,
                "INSERT OR REPLACE INTO lockstep_tick_tuples (name, active_at_ms, value, tick_ms) VALUES ($name, $at, $value, $tick)",
                ("$name", variable),
                ("$at", Milliseconds(tuple.ActiveAt)),
                ("$value", tuple.Json),
                ("$tick", (long)tuple.Tick.TotalMilliseconds)
            );
            write.ExecuteNonQuery();
        }

        if (HasStamp(connection, transaction))
        {
            using var version = Command(connection, transaction, "UPDATE lockstep_tick_settings SET version = version + 1");
            version.ExecuteNonQuery();
        }

        var change = Guid.NewGuid().ToString();
        foreach (var operation in edit.Operations)
        {
            using var audit = Command(
                connection,
                transaction,
                """
                INSERT INTO lockstep_tick_audit (change_id, at_ms, who, name, action, active_at_ms, value, tick_ms, moved_from_ms)
                VALUES ($change, $now, $who, $name, $action, $at, $value, $tick, $from)
                """,
                ("$change", change),
                ("$now", Milliseconds(at)),
                ("$who", who),
                ("$name", variable),
                ("$action", operation.Action.ToString()),
                ("$at", Milliseconds(operation.Tuple.ActiveAt)),
                ("$value", operation.Tuple.Json),
                ("$tick", (long)operation.Tuple.Tick.TotalMilliseconds),
                ("$from", operation.MovedFrom is { } from ? Milliseconds(from) : DBNull.Value)
            );
            audit.ExecuteNonQuery();
        }
    }

    private static TickTuple ReadTuple(SqliteDataReader reader, int column) =>
        new(
            FromMilliseconds(reader.GetInt64(column)),
            reader.GetString(column + 1),
            TimeSpan.FromMilliseconds(reader.GetInt64(column + 2))
        );

    /// <summary>A statement of which each text is a literal of this assembly.</summary>
    public static SqliteCommand Command(
        SqliteConnection connection,
        SqliteTransaction? transaction,
        string sql,
        params ReadOnlySpan<(string Name, object Value)> parameters
    )
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // Every text is a literal, here or in SqliteTickStore.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value);
        return command;
    }

    private static long Milliseconds(DateTimeOffset instant) => instant.ToUnixTimeMilliseconds();

    private static DateTimeOffset FromMilliseconds(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
