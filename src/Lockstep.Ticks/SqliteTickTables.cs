using Lockstep.Engine;
using Microsoft.Data.Sqlite;

namespace Lockstep.Ticks;

/// <summary>
/// The tables of a store in an SQLite file, and each statement on them. Instants and durations are whole milliseconds.
/// </summary>
internal static class SqliteTickTables
{
    /// <summary>
    /// The format of a store's file. Any addition that an earlier Lockstep would lose or misread makes a new format, which that version
    /// refuses. A store without a format is of the first.
    /// </summary>
    public const long Format = 1;

    /// <summary>The columns that stores of older versions lack, each with its table and definition.</summary>
    private static readonly (string Table, string Column, string Definition)[] Additions =
    [
        ("lockstep_tick_settings", "identity", "TEXT"),
        ("lockstep_tick_settings", "version", "INTEGER NOT NULL DEFAULT 0"),
        ("lockstep_tick_settings", "marks", "TEXT NOT NULL DEFAULT ''"),
        ("lockstep_tick_settings", FormatColumn, "INTEGER NOT NULL DEFAULT 1"),
        ("lockstep_tick_tuples", "wished_at_ms", "INTEGER"),
        ("lockstep_tick_tuples", "change_group", "TEXT"),
    ];

    private const string FormatColumn = "format";

    /// <summary>Checks that the store, if it exists, is of a format that this version knows.</summary>
    /// <exception cref="TickStoreFormatException">It is of a later one.</exception>
    /// <exception cref="InvalidOptionException">It is a table of records.</exception>
    public static void RequireFormat(SqliteConnection connection, string store)
    {
        if (Has(connection, "lockstep_table", "name"))
        {
            throw new InvalidOptionException(
                $"'{store}' is a table of records, and no store of variables.",
                "Name another file; setting a variable creates it."
            );
        }

        if (!Has(connection, "lockstep_tick_settings", FormatColumn))
            return;
        using var command = Command(connection, "SELECT CAST(format AS INTEGER) FROM lockstep_tick_settings");
        if (command.ExecuteScalar() is long format)
            TickStoreFormatException.Require(store, format, Format);
    }

    /// <summary>Creates the tables with their settings, unless they exist. In a transaction.</summary>
    public static void Create(SqliteConnection connection, TickSettings settings)
    {
        using var command = Command(
            connection,
            """
            CREATE TABLE IF NOT EXISTS lockstep_tick_settings (
                one INTEGER PRIMARY KEY CHECK (one = 1), default_tick_ms INTEGER NOT NULL, skew_bound_ms INTEGER,
                    latency_ms INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS lockstep_tick_tuples (
                name TEXT NOT NULL, active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL,
                    PRIMARY KEY (name, active_at_ms)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS lockstep_tick_audit (
                id INTEGER PRIMARY KEY AUTOINCREMENT, change_id TEXT NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL,
                    name TEXT NOT NULL, action TEXT NOT NULL,
                active_at_ms INTEGER NOT NULL, value TEXT NOT NULL, tick_ms INTEGER NOT NULL, moved_from_ms INTEGER);
            CREATE INDEX IF NOT EXISTS lockstep_tick_audit_name ON lockstep_tick_audit (name, id);
            INSERT OR IGNORE INTO lockstep_tick_settings (one, default_tick_ms, skew_bound_ms, latency_ms)
                VALUES (1, $tick, $skew, $latency);
            """,
            ("$tick", (long)settings.DefaultTick.TotalMilliseconds),
            ("$skew", settings.SkewBound is { } skew ? (long)skew.TotalMilliseconds : DBNull.Value),
            ("$latency", (long)settings.Latency.TotalMilliseconds)
        );
        command.ExecuteNonQuery();
        Complete(connection);
    }

    /// <summary>Adds what a store of an older version lacks. In a transaction.</summary>
    public static void Complete(SqliteConnection connection)
    {
        foreach (var (table, column, definition) in Additions)
        {
            if (Has(connection, table, column))
                continue;
            using var add = Command(connection, $"ALTER TABLE {table} ADD COLUMN {column} {definition}");
            add.ExecuteNonQuery();
        }

        using var identity = Command(
            connection,
            "UPDATE lockstep_tick_settings SET identity = $identity WHERE identity IS NULL",
            ("$identity", Guid.NewGuid().ToString("N"))
        );
        identity.ExecuteNonQuery();
    }

    /// <summary>The store's identity; unknown for one that an older version created and nothing has been written to since.</summary>
    public static TickStoreStamp ReadStamp(SqliteConnection connection)
    {
        using var command = Command(connection, "SELECT * FROM lockstep_tick_settings");
        using var reader = command.ExecuteReader();
        return reader.Read() && reader.FindText("identity") is { } identity
            ? new TickStoreStamp(identity, reader.GetInt64(reader.GetOrdinal("version")), reader.FindText("marks"))
            : TickStoreStamp.Unknown;
    }

    public static TickSettings ReadSettings(SqliteConnection connection)
    {
        using var command = Command(connection, "SELECT default_tick_ms, skew_bound_ms, latency_ms FROM lockstep_tick_settings");
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
        using var command = Command(connection, "SELECT DISTINCT name FROM lockstep_tick_tuples ORDER BY name");
        using var reader = command.ExecuteReader();
        var names = new List<string>();
        while (reader.Read())
            names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>A variable's tuples, unordered.</summary>
    public static List<TickTuple> ReadTuples(SqliteConnection connection, string variable)
    {
        using var command = Command(connection, "SELECT * FROM lockstep_tick_tuples WHERE name = $name", ("$name", variable));
        using var reader = command.ExecuteReader();
        var tuples = new List<TickTuple>();
        while (reader.Read())
        {
            tuples.Add(
                new TickTuple(
                    FromMilliseconds(reader.GetInt64(reader.GetOrdinal("active_at_ms"))),
                    reader.GetString(reader.GetOrdinal("value")),
                    TimeSpan.FromMilliseconds(reader.GetInt64(reader.GetOrdinal("tick_ms"))),
                    reader.Find("wished_at_ms") is { } wish ? FromMilliseconds(reader.GetInt64(wish)) : null,
                    reader.FindText("change_group")
                )
            );
        }

        return tuples;
    }

    /// <summary>The newest entries of the audit, oldest first.</summary>
    public static IReadOnlyList<TickAuditEntry> ReadAudit(SqliteConnection connection, string variable, int newest)
    {
        using var command = Command(
            connection,
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
                new TickTuple(FromMilliseconds(reader.GetInt64(4)), reader.GetString(5), TimeSpan.FromMilliseconds(reader.GetInt64(6))),
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

    /// <summary>Increments the store's version, and records the change's mark.</summary>
    public static void Count(SqliteConnection connection)
    {
        using var version = Command(
            connection,
            "UPDATE lockstep_tick_settings SET version = version + 1, marks = substr($mark || marks, 1, $most)",
            ("$mark", TickStoreStamp.NewMark()),
            ("$most", TickStoreStamp.MostMarks * TickStoreStamp.MarkLength)
        );
        version.ExecuteNonQuery();
    }

    /// <summary>Writes an edit, and its author to the audit.</summary>
    public static void Apply(SqliteConnection connection, Guid change, string variable, string who, DateTimeOffset at, TickEdit edit)
    {
        foreach (var instant in edit.Removals)
        {
            using var delete = Command(
                connection,
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
                """
                INSERT OR REPLACE INTO lockstep_tick_tuples (name, active_at_ms, value, tick_ms, wished_at_ms, change_group)
                VALUES ($name, $at, $value, $tick, $wish, $group)
                """,
                ("$name", variable),
                ("$at", Milliseconds(tuple.ActiveAt)),
                ("$value", tuple.Json),
                ("$tick", (long)tuple.Tick.TotalMilliseconds),
                ("$wish", tuple.WishedAt == tuple.ActiveAt ? DBNull.Value : Milliseconds(tuple.WishedAt)),
                ("$group", tuple.Group ?? (object)DBNull.Value)
            );
            write.ExecuteNonQuery();
        }

        foreach (var operation in edit.Operations)
        {
            using var audit = Command(
                connection,
                """
                INSERT INTO lockstep_tick_audit (change_id, at_ms, who, name, action, active_at_ms, value, tick_ms, moved_from_ms)
                VALUES ($change, $now, $who, $name, $action, $at, $value, $tick, $from)
                """,
                ("$change", change.ToString()),
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

    private static bool Has(SqliteConnection connection, string table, string column)
    {
        using var command = Command(
            connection,
            "SELECT count(*) FROM pragma_table_info($table) WHERE name = $column",
            ("$table", table),
            ("$column", column)
        );
        return (long)command.ExecuteScalar()! == 1;
    }

    /// <summary>A statement; anything from outside is a parameter.</summary>
    private static SqliteCommand Command(
        SqliteConnection connection,
        string sql,
        params ReadOnlySpan<(string Name, object Value)> parameters
    )
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // Every text consists of literals in this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value);
        return command;
    }

    private static long Milliseconds(DateTimeOffset instant) => instant.ToUnixTimeMilliseconds();

    private static DateTimeOffset FromMilliseconds(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
