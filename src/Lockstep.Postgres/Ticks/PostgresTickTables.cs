using Lockstep.Ticks;
using Npgsql;
using NpgsqlTypes;

namespace Lockstep.Postgres.Ticks;

/// <summary>The tables of a store in PostgreSQL, and every statement on them. Durations are whole milliseconds.</summary>
internal static class PostgresTickTables
{
    /// <summary>
    /// The format of a store's tables. Any addition that an earlier Lockstep would lose or misread makes a new format, which that version
    /// refuses; tables without a format are of the first. Whoever raises it locks the settings, so that no change runs meanwhile.
    /// </summary>
    private const int Format = 1;

    /// <summary>
    /// Adds what tables of older versions lack. Every change locks the settings before the other tables, so the holder of the settings
    /// never waits for anybody who waits for it.
    /// </summary>
    private const string Additions = """
        ALTER TABLE lockstep_tick_settings ADD COLUMN IF NOT EXISTS identity uuid DEFAULT gen_random_uuid();
        ALTER TABLE lockstep_tick_settings ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 0;
        ALTER TABLE lockstep_tick_settings ADD COLUMN IF NOT EXISTS marks text NOT NULL DEFAULT '';
        ALTER TABLE lockstep_tick_settings ADD COLUMN IF NOT EXISTS format integer NOT NULL DEFAULT 1;
        ALTER TABLE lockstep_tick_tuples ADD COLUMN IF NOT EXISTS wished_at timestamptz;
        ALTER TABLE lockstep_tick_tuples ADD COLUMN IF NOT EXISTS change_group text;
        """;

    /// <summary>Creates the tables with their settings, unless they exist.</summary>
    public static async Task CreateAsync(NpgsqlConnection connection, TickSettings settings, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);

        // Two processes that create the tables at once would collide in the catalog, even with IF NOT EXISTS.
        await TakeTurnAsync(connection, "tables", cancellationToken).ConfigureAwait(false);
        await using var there = new NpgsqlCommand("SELECT to_regclass('lockstep_tick_settings') IS NOT NULL", connection);
        if (await there.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
            return;
        await using var tables = new NpgsqlCommand(
            """
            CREATE TABLE lockstep_tick_settings (
                one integer PRIMARY KEY DEFAULT 1 CHECK (one = 1), default_tick_ms bigint NOT NULL, skew_bound_ms bigint,
                    latency_ms bigint NOT NULL);
            CREATE TABLE lockstep_tick_tuples (
                name text COLLATE "C" NOT NULL, active_at timestamptz NOT NULL, value json NOT NULL, tick_ms bigint NOT NULL,
                    PRIMARY KEY (name, active_at));
            CREATE TABLE lockstep_tick_audit (
                id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, change_id uuid NOT NULL, at timestamptz NOT NULL,
                    who text NOT NULL, name text COLLATE "C" NOT NULL,
                action text NOT NULL, active_at timestamptz NOT NULL, value json NOT NULL, tick_ms bigint NOT NULL, moved_from timestamptz);
            CREATE INDEX lockstep_tick_audit_name ON lockstep_tick_audit (name, id);
            """ + Additions,
            connection
        );
        await tables.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await using var row = new NpgsqlCommand(
            "INSERT INTO lockstep_tick_settings (default_tick_ms, skew_bound_ms, latency_ms) VALUES ($1, $2, $3)",
            connection
        )
        {
            Parameters =
            {
                new() { Value = (long)settings.DefaultTick.TotalMilliseconds },
                new()
                {
                    Value = settings.SkewBound is { } skew ? (long)skew.TotalMilliseconds : DBNull.Value,
                    NpgsqlDbType = NpgsqlDbType.Bigint,
                },
                new() { Value = (long)settings.Latency.TotalMilliseconds },
            },
        };
        await row.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The store's settings; null if they are missing.</summary>
    /// <exception cref="TickStoreFormatException">A newer Lockstep created the tables.</exception>
    public static async Task<TickSettings?> ReadSettingsAsync(
        NpgsqlConnection connection,
        string store,
        CancellationToken cancellationToken
    )
    {
        // All columns: tables of older versions have fewer.
        await using var command = new NpgsqlCommand("SELECT * FROM lockstep_tick_settings", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            return null;
        RequireFormat(reader, store);
        return new TickSettings(
            TimeSpan.FromMilliseconds(reader.GetInt64(reader.GetOrdinal("default_tick_ms"))),
            reader.Find("skew_bound_ms") is { } skew ? TimeSpan.FromMilliseconds(reader.GetInt64(skew)) : null,
            TimeSpan.FromMilliseconds(reader.GetInt64(reader.GetOrdinal("latency_ms")))
        );
    }

    /// <summary>
    /// Adds what an older version's tables lack, before they are first written to; the server's error tells a user without the right whom
    /// to ask.
    /// </summary>
    public static async Task CompleteAsync(NpgsqlConnection connection, string store, CancellationToken cancellationToken)
    {
        await using var missing = new NpgsqlCommand(
            """
            SELECT count(*) < 5 FROM pg_catalog.pg_attribute WHERE NOT attisdropped
            AND (attrelid = 'lockstep_tick_settings'::regclass AND attname IN ('identity', 'version', 'marks')
                OR attrelid = 'lockstep_tick_tuples'::regclass AND attname IN ('wished_at', 'change_group'))
            """,
            connection
        );
        if (await missing.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
            return;
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await TakeTurnAsync(connection, "tables", cancellationToken).ConfigureAwait(false);
        await ReadSettingsAsync(connection, store, cancellationToken).ConfigureAwait(false);
        await using var additions = new NpgsqlCommand(Additions, connection);
        await additions.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The server's clock.</summary>
    public static async Task<DateTimeOffset> ReadClockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT clock_timestamp()", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return reader.GetFieldValue<DateTimeOffset>(0);
    }

    /// <summary>Waits until no other transaction changes the variable, and locks it until the end of this one.</summary>
    public static async Task TakeTurnAsync(NpgsqlConnection connection, string variable, CancellationToken cancellationToken)
    {
        await using var turn = new NpgsqlCommand("SELECT pg_advisory_xact_lock(hashtextextended('lockstep tick ' || $1, 0))", connection)
        {
            Parameters = { new() { Value = variable } },
        };
        await turn.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The names of all variables, in ordinal order.</summary>
    public static async Task<IReadOnlyList<string>> ReadNamesAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT DISTINCT name COLLATE \"C\" AS name FROM lockstep_tick_tuples ORDER BY name",
            connection
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var names = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            names.Add(reader.GetString(0));
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>
    /// The schedules of variables, and the server's clock read after them. Separate statements, so that after waiting for its turn each
    /// sees what the one before committed.
    /// </summary>
    public static async Task<TickReading[]> ReadAsync(
        NpgsqlConnection connection,
        string store,
        TickSettings settings,
        IReadOnlyList<string> variables,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT * FROM lockstep_tick_settings"));
        foreach (var variable in variables)
        {
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand("SELECT * FROM lockstep_tick_tuples WHERE name = $1") { Parameters = { new() { Value = variable } } }
            );
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand("SELECT clock_timestamp()"));
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var stamp = TickStoreStamp.Unknown;
        if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            RequireFormat(reader, store);
            if (reader.Find("identity") is { } identity)
            {
                stamp = new TickStoreStamp(
                    reader.GetGuid(identity).ToString("N"),
                    reader.GetInt64(reader.GetOrdinal("version")),
                    reader.FindText("marks")
                );
            }
        }

        var schedules = new List<TickSchedule>();
        foreach (var _ in variables)
        {
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            var tuples = new List<TickTuple>();
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                var tuple = ReadTuple(reader, reader.GetOrdinal("active_at"), reader.GetOrdinal("value"), reader.GetOrdinal("tick_ms"));
                var wish = reader.Find("wished_at") is { } at ? reader.GetFieldValue<DateTimeOffset>(at) : (DateTimeOffset?)null;
                tuples.Add(new TickTuple(tuple.ActiveAt, tuple.Json, tuple.Tick, wish, reader.FindText("change_group")));
            }

            schedules.Add(new TickSchedule(settings.DefaultTick, tuples));
        }

        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        var time = reader.GetFieldValue<DateTimeOffset>(0);
        return [.. schedules.Select(schedule => new TickReading(schedule, settings, time) { Stamp = stamp })];
    }

    /// <summary>The newest entries of the audit, oldest first.</summary>
    public static async Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(
        NpgsqlConnection connection,
        string variable,
        int newest,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT change_id, at, who, action, active_at, value, tick_ms, moved_from FROM lockstep_tick_audit
            WHERE name = $1 ORDER BY id DESC LIMIT $2
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = variable },
                new() { Value = newest },
            },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var entries = new List<TickAuditEntry>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var operation = new TickOperation(
                Enum.Parse<TickAction>(reader.GetString(3)),
                ReadTuple(reader, 4, 5, 6),
                reader.IsDBNull(7) ? null : reader.GetFieldValue<DateTimeOffset>(7)
            );
            entries.Add(
                new TickAuditEntry(reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), variable, operation)
            );
        }

        entries.Reverse();
        return entries;
    }

    /// <summary>Writes edits as a single change, and its author to the audit.</summary>
    public static async Task ApplyAsync(
        NpgsqlConnection connection,
        IEnumerable<(string Variable, TickEdit Edit)> edits,
        string who,
        DateTimeOffset at,
        CancellationToken cancellationToken
    )
    {
        await using var batch = new NpgsqlBatch(connection);
        var change = Guid.NewGuid();
        foreach (var (variable, edit) in edits)
            Add(batch, change, variable, edit, who, at);

        // Last, so that changes of other variables wait for this row only during the commit.
        batch.BatchCommands.Add(
            new NpgsqlBatchCommand("UPDATE lockstep_tick_settings SET version = version + 1, marks = left($1 || marks, $2)")
            {
                Parameters =
                {
                    new() { Value = TickStoreStamp.NewMark() },
                    new() { Value = TickStoreStamp.MostMarks * TickStoreStamp.MarkLength },
                },
            }
        );
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void Add(NpgsqlBatch batch, Guid change, string variable, TickEdit edit, string who, DateTimeOffset at)
    {
        foreach (var instant in edit.Removals)
        {
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand("DELETE FROM lockstep_tick_tuples WHERE name = $1 AND active_at = $2")
                {
                    Parameters =
                    {
                        new() { Value = variable },
                        new() { Value = instant },
                    },
                }
            );
        }

        foreach (var tuple in edit.Writes)
        {
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(
                    """
                    INSERT INTO lockstep_tick_tuples (name, active_at, value, tick_ms, wished_at, change_group)
                        VALUES ($1, $2, $3, $4, $5, $6)
                    ON CONFLICT (name, active_at) DO UPDATE
                    SET value = EXCLUDED.value, tick_ms = EXCLUDED.tick_ms, wished_at = EXCLUDED.wished_at,
                        change_group = EXCLUDED.change_group
                    """
                )
                {
                    Parameters =
                    {
                        new() { Value = variable },
                        new() { Value = tuple.ActiveAt },
                        Json(tuple),
                        Tick(tuple),
                        new()
                        {
                            Value = tuple.WishedAt == tuple.ActiveAt ? DBNull.Value : tuple.WishedAt,
                            NpgsqlDbType = NpgsqlDbType.TimestampTz,
                        },
                        new() { Value = tuple.Group ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                    },
                }
            );
        }

        foreach (var operation in edit.Operations)
        {
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(
                    """
                    INSERT INTO lockstep_tick_audit (change_id, at, who, name, action, active_at, value, tick_ms, moved_from)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                    """
                )
                {
                    Parameters =
                    {
                        new() { Value = change },
                        new() { Value = at },
                        new() { Value = who },
                        new() { Value = variable },
                        new() { Value = operation.Action.ToString() },
                        new() { Value = operation.Tuple.ActiveAt },
                        Json(operation.Tuple),
                        Tick(operation.Tuple),
                        new() { Value = operation.MovedFrom ?? (object)DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                    },
                }
            );
        }
    }

    private static void RequireFormat(NpgsqlDataReader settings, string store)
    {
        if (settings.Find("format") is { } format)
            TickStoreFormatException.Require(store, settings.GetInt64(format), Format);
    }

    private static TickTuple ReadTuple(NpgsqlDataReader reader, int activeAt, int value, int tick) =>
        new(reader.GetFieldValue<DateTimeOffset>(activeAt), reader.GetString(value), TimeSpan.FromMilliseconds(reader.GetInt64(tick)));

    private static NpgsqlParameter Json(TickTuple tuple) => new() { Value = tuple.Json, NpgsqlDbType = NpgsqlDbType.Json };

    private static NpgsqlParameter Tick(TickTuple tuple) => new() { Value = (long)tuple.Tick.TotalMilliseconds };
}
