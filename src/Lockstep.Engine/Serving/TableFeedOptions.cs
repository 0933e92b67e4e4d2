using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Engine.Serving;

/// <summary>How a table file is served.</summary>
public sealed record TableFeedOptions
{
    /// <summary>The table file's full path.</summary>
    public required string Path { get; init; }

    /// <summary>The name under which it is served; null for the table's own name.</summary>
    public string? Name { get; init; }

    /// <summary>How its rows are written to clients.</summary>
    public ServedDialect Dialect { get; init; }

    /// <summary>
    /// How often to check whether something was committed to the file; above zero. Default 25 ms: the check costs microseconds. Where the
    /// system reports writes to local files (Linux), the file is checked at once.
    /// </summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>
    /// How many bytes of recent changes are kept for the clients that follow live; one that falls further behind reads from the file. At
    /// least 1 KiB; default 16 MiB.
    /// </summary>
    public long LiveBytes { get; init; } = 16 << 20;

    /// <summary>How many clients may read from the file at once (the others wait their turn); at least 1, default 4.</summary>
    public int MaxReaders { get; init; } = 4;

    /// <summary>About how many bytes of records one read takes into memory; at least 1 KiB, default 256 KiB.</summary>
    public int PageBytes { get; init; } = PageSize.Bytes;

    /// <summary>How long to wait at the start for another program's transaction on the file. Default 30 s.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The default of <see cref="MaximumRowBytes"/>.</summary>
    public const int DefaultMaximumRowBytes = RowLimits.DefaultBytes;

    /// <summary>
    /// The longest line of a row, in bytes: a longer one, which clients could not accept, is left out and reported. At least 1 KiB; default
    /// 16 MiB, which is the default of clients.
    /// </summary>
    public int MaximumRowBytes { get; init; } = DefaultMaximumRowBytes;

    /// <summary>Gets what an operator should know. Called from any thread. Default: none.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    internal TableFeedOptions Checked()
    {
        ArgumentException.ThrowIfNullOrEmpty(Path);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(PollInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(LiveBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxReaders, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PageBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaximumRowBytes, 1024);
        return this;
    }
}

/// <summary>How a table file's rows are written to clients.</summary>
public enum ServedDialect
{
    /// <summary>The transaction dialect, with the table's own sequence in place of transactions.</summary>
    Transaction = 0,

    /// <summary>
    /// The record dialect of the original lockstep, for its clients: the record's own fields, one record to a chunk, the order field
    /// replaced by the table's own sequence.
    /// </summary>
    Record = 1,
}
