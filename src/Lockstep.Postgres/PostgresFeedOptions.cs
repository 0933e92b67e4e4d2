using Lockstep.Engine;
using Lockstep.Engine.Serving;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Postgres;

/// <summary>How a table or view is served.</summary>
public sealed record PostgresFeedOptions
{
    /// <summary>The table or view.</summary>
    public required TableName Table { get; init; }

    /// <summary>How changes are found; polling unless set.</summary>
    public PostgresFeedMode Mode { get; init; }

    /// <summary>Required for <see cref="PostgresFeedMode.Replication"/>, and ignored otherwise.</summary>
    public PostgresReplicationOptions? Replication { get; init; }

    /// <summary>
    /// Receives what an operator should know: a slot that was dropped, a forced resync, a row that was left out. Event ids are stable.
    /// Called from any thread. Default: none.
    /// </summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>The name under which it is served; null for the table's own name.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// The columns that identify a row, in order. Empty: the primary key, else a unique index over columns that cannot be null, else none
    /// (a view: the client then takes the first member of a record). Ignored for a tracked table, whose tombstones define the key, and for
    /// replication, which uses the table's replica identity.
    /// </summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    /// <summary>
    /// How often to poll the table when nothing wakes the poller, and with replication how often to check what the stream does not report
    /// (DDL, the slot's lag); above zero. Default 1 s.
    /// </summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether to be woken by the notifications of a tracked table (LISTEN). This needs a connection that is not pooled by transaction.
    /// </summary>
    public bool Listen { get; init; } = true;

    /// <summary>
    /// How many bytes of recent changes are kept for clients that follow live; a client that falls further behind has to read from the
    /// database again. At least 1 KiB; default 16 MiB.
    /// </summary>
    public long LiveBytes { get; init; } = 16 << 20;

    /// <summary>
    /// How many clients may read from the database at once, across all its feeds in this process that set the same number (the others wait
    /// their turn); at least 1, default 8.
    /// </summary>
    public int MaxReaders { get; init; } = 8;

    /// <summary>The most rows of a snapshot page; at least 1, default 5,000.</summary>
    public int PageRows { get; init; } = 5_000;

    /// <summary>
    /// How many bytes of rows may be on disk for slow clients of a view that has no key to page by, so that its transactions can end; at
    /// least 1 MiB, default 1 GiB. When that runs out, clients that read nothing are cut off.
    /// </summary>
    public long SpillBytes { get; init; } = 1L << 30;

    /// <summary>
    /// How much memory may be used to compare the rows of a view without tombstones, about 70 bytes plus the key for each row; at least 64
    /// KiB, default 256 MiB. If a view needs more, all its clients start over whenever it changes.
    /// </summary>
    public long ViewBytes { get; init; } = 256 << 20;

    /// <summary>
    /// The longest row to send, in bytes; a longer one, which clients would refuse, is left out and reported. At least 1 KiB; default 16
    /// MiB, which clients accept unless configured otherwise.
    /// </summary>
    public int MaximumRowBytes { get; init; } = RowLimits.DefaultBytes;

    /// <summary>
    /// How long a client's read is retried while the database is unreachable, before the client is cut off. Default 30 s.
    /// </summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a lagging server asks a client to wait before retrying; whole seconds, default 2 s.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A logger that passes warnings to a callback, for a caller that cannot name the logger's type.</summary>
    internal Action<string> WarningsTo
    {
        init => Logger = CallbackLogger.OfWarnings(value);
    }

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(PollInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(LiveBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxReaders, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PageRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaximumRowBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfLessThan(SpillBytes, 1 << 20);
        ArgumentOutOfRangeException.ThrowIfLessThan(ViewBytes, 64 << 10);
        if (Mode == PostgresFeedMode.Replication)
        {
            (
                Replication
                ?? throw new ArgumentException(
                    "A feed by replication needs the options Replication, with the path of its log.",
                    nameof(Replication)
                )
            ).Check();
        }
    }
}
