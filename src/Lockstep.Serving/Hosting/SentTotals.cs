namespace Lockstep.Serving.Hosting;

/// <summary>What a server has sent since it started, in finished and open requests. Thread-safe.</summary>
internal sealed class SentTotals<T>
    where T : ISentCount
{
    private readonly Lock _gate = new();
    private readonly HashSet<T> _open = [];
    private long _records;
    private long _bytes;

    public void Begin(T request)
    {
        lock (_gate)
            _open.Add(request);
    }

    /// <summary>The requests that are open, at this moment.</summary>
    public IReadOnlyList<T> Open
    {
        get
        {
            lock (_gate)
                return [.. _open];
        }
    }

    /// <summary>Ends a request in one step, so that no reading of the totals counts it twice or not at all.</summary>
    public void End(T request)
    {
        lock (_gate)
        {
            _open.Remove(request);
            _records += request.Records;
            _bytes += request.Bytes;
        }
    }

    /// <summary>Records and bytes of bodies sent so far.</summary>
    public (long Records, long Bytes) Now
    {
        get
        {
            lock (_gate)
                return (_records + _open.Sum(request => request.Records), _bytes + _open.Sum(request => request.Bytes));
        }
    }
}

/// <summary>What one request has been sent. The figures change while it is open; any thread may read them.</summary>
internal interface ISentCount
{
    /// <summary>Records; heartbeats and control rows do not count.</summary>
    long Records { get; }

    /// <summary>Bytes of the body.</summary>
    long Bytes { get; }
}
