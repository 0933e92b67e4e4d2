namespace Lockstep.Engine.Sync;

/// <summary>How large a sync's buffers may grow, in bytes (I8): large enough to be fast, or as large as a limit allows.</summary>
internal sealed record BufferSizes
{
    private const int Megabyte = 1024 * 1024;

    /// <summary>What the program uses apart from the buffers.</summary>
    private const long Program = 36 * Megabyte;

    /// <summary>The lowest limit under which a sync can work.</summary>
    public const long LeastLimit = 64 * Megabyte;

    /// <summary>What all batches may use together.</summary>
    private long _room = long.MaxValue;

    /// <summary>The sizes without a limit.</summary>
    public static BufferSizes Usual { get; } = new();

    /// <summary>
    /// A batch. It may be large: records are written in key order, and the more there are, the fewer pages each write touches.
    /// </summary>
    public int Batch { get; private init; } = 160 * Megabyte;

    /// <summary>The size beyond which a batch does not grow while another one is being written.</summary>
    public int BatchWhileWriting { get; private init; } = 48 * Megabyte;

    /// <summary>
    /// The batch size for an endless feed. Following one then takes 80 MB in all; twice the size would save a fifth of the processor time.
    /// </summary>
    public int EndlessBatch { get; private init; } = 6 * Megabyte;

    /// <summary>The batch size for pages whose keys come out of order. Three batches may be alive, and pages take memory besides.</summary>
    public int PageBatch { get; private init; } = 8 * Megabyte;

    /// <summary>
    /// The batch size for records that arrive in key order. They gain nothing by waiting, so they are written while the next ones are read.
    /// </summary>
    public int AscendingBatch { get; private init; } = 4 * Megabyte;

    /// <summary>The page cache of the table file's writer.</summary>
    public int Cache { get; private init; } = 32 * Megabyte;

    /// <summary>The sizes with which a process that only syncs stays below a limit.</summary>
    /// <param name="limit">In bytes, at least <see cref="LeastLimit"/>; null for none.</param>
    public static BufferSizes Within(long? limit)
    {
        if (limit is not { } most)
            return Usual;
        // Records are written in key order, so caching a small part of the file is enough.
        var cache = (int)Math.Clamp((most - Program) / 8, 2 * Megabyte, Usual.Cache);
        var room = most - Program - cache;
        return new BufferSizes
        {
            _room = room,
            Batch = (int)Math.Min(WithSorting(room), Usual.Batch),
            EndlessBatch = (int)Math.Min(WithSorting(room / 3), Usual.EndlessBatch),
            PageBatch = (int)Math.Min(WithSorting(room / 8), Usual.PageBatch),
            Cache = cache,
        };
    }

    /// <summary>Whether a batch of this size leaves no room for another, so that it must be written before more is read.</summary>
    public bool IsAlone(long batch) => WithSorting(_room / 3) < batch;

    /// <summary>The size of a batch including the memory to sort it.</summary>
    private static long WithSorting(long bytes) => bytes / 6 * 5;
}
