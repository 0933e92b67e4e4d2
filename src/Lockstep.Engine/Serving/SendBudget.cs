namespace Lockstep.Engine.Serving;

/// <summary>
/// The bytes that a server's clients may hold together of what was read for them and not yet sent (I8). When they are used up, clients that
/// want more wait in turn, and one that has taken nothing for a while is cut off: a client that pauses is left alone as long as nobody
/// needs what it holds. Thread-safe.
/// </summary>
/// <param name="bytes">The maximum; at least one client may always hold what it needs, however much that is.</param>
/// <param name="time">The clock; null for the system's.</param>
internal sealed class SendBudget(long bytes, TimeProvider? time = null)
{
    /// <summary>The default of a server: 64 MiB.</summary>
    public const long DefaultBytes = 64L << 20;

    /// <summary>How long a client may take nothing while others wait.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How long a client waits for its turn before it is asked to come back later.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private readonly HashSet<SendShare> _holders = [];
    private readonly LinkedList<Waiter> _waiting = [];
    private long _held;
    private long _dropped;

    internal TimeProvider Time { get; } = time ?? TimeProvider.System;

    /// <summary>The bytes held now.</summary>
    public long Held
    {
        get
        {
            lock (_gate)
                return _held;
        }
    }

    /// <summary>How many clients were cut off since the start because they took nothing while others waited.</summary>
    public long CutOff { get; private set; }

    /// <summary>Creates the share of one client, which holds nothing yet.</summary>
    /// <param name="cut">Cuts the client off, from any thread, at most once; must not block.</param>
    public SendShare Join(Action cut) => new(this, cut);

    internal long Cover(SendShare share, long least)
    {
        long more;
        lock (_gate)
        {
            more = Math.Max(0, least - share.Held);
            if (more > 0)
                Add(share, more);
            if (_held <= bytes)
                return more;
        }

        Relieve();
        return more;
    }

    internal async Task TakeAsync(SendShare share, long more, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_gate)
        {
            if (_waiting.Count == 0 && Fits(more))
            {
                Add(share, more);
                return;
            }

            waiter = new Waiter(share, more);
            _waiting.AddLast(waiter.Place);
        }

        try
        {
            for (var begun = Time.GetTimestamp(); Time.GetElapsedTime(begun) < LongestWait; )
            {
                Relieve();
                try
                {
                    await waiter.Granted.WaitAsync(TimeSpan.FromSeconds(1), Time, cancellationToken).ConfigureAwait(false);
                    return;
                }
                catch (TimeoutException)
                {
                    // By now some client may have taken nothing for long enough.
                }
            }

            throw new FeedUnavailableException("The server's memory for clients is used up.", TimeSpan.FromSeconds(5));
        }
        finally
        {
            lock (_gate)
            {
                // If it was granted after all, the share's owner returns it with the rest.
                if (waiter.Place.List is not null)
                {
                    _waiting.Remove(waiter.Place);
                    Grant();
                }
            }
        }
    }

    internal bool TryTake(SendShare share, long more)
    {
        lock (_gate)
        {
            if (_waiting.Count > 0 || _held + more > bytes / 2)
                return false;
            Add(share, more);
            return true;
        }
    }

    internal void Give(SendShare share, long less)
    {
        lock (_gate)
        {
            less = Math.Min(less, share.Held);
            share.Held -= less;
            _held -= less;
            if (share.Held == 0)
                _holders.Remove(share);
            Grant();
        }
    }

    private bool Fits(long more) => _held == 0 || _held + more <= bytes;

    private void Add(SendShare share, long more)
    {
        if (share.Held == 0)
            share.Progress();
        share.Held += more;
        _held += more;
        _holders.Add(share);
    }

    private void Grant()
    {
        while (_waiting.First is { Value: var next } && Fits(next.Bytes))
        {
            _waiting.RemoveFirst();
            Add(next.Share, next.Bytes);
            next.Grant();
        }
    }

    /// <summary>Cuts off the client that has taken nothing for the longest time, if that is long enough.</summary>
    private void Relieve()
    {
        SendShare? idle;
        lock (_gate)
        {
            idle = _holders.Where(share => !share.IsCut).MinBy(share => share.Since);
            if (idle is null || Time.GetElapsedTime(idle.Since) < Patience)
                return;
            idle.IsCut = true;
            CutOff++;
            _dropped += idle.Held;
        }

        idle.Cut();
        Reclaim();
    }

    /// <summary>
    /// What was read for the clients that were cut off is garbage, and large rows are collected rarely: many clients that never read would
    /// make the process large although all of them together hold little.
    /// </summary>
    private void Reclaim()
    {
        lock (_gate)
        {
            if (_dropped < bytes / 2)
                return;
            _dropped = 0;
        }

        _ = Task.Run(() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false));
    }

    private sealed class Waiter
    {
        private readonly TaskCompletionSource _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Waiter(SendShare share, long bytes)
        {
            (Share, Bytes) = (share, bytes);
            Place = new LinkedListNode<Waiter>(this);
        }

        public SendShare Share { get; }

        public long Bytes { get; }

        public LinkedListNode<Waiter> Place { get; }

        public Task Granted => _granted.Task;

        public void Grant() => _granted.TrySetResult();
    }
}

/// <summary>
/// What one client holds of a <see cref="SendBudget"/>. Used by one thread at a time; disposing it returns everything.
/// </summary>
internal sealed class SendShare : IDisposable
{
    private readonly SendBudget _budget;
    private readonly Action _cut;
    private long _since;

    internal SendShare(SendBudget budget, Action cut) => (_budget, _cut) = (budget, cut);

    /// <summary>Bytes; guarded by the budget.</summary>
    internal long Held { get; set; }

    internal bool IsCut { get; set; }

    /// <summary>When the client last took something, or began to hold.</summary>
    internal long Since => Volatile.Read(ref _since);

    /// <summary>Waits until this many bytes may be held, and holds them.</summary>
    /// <exception cref="FeedUnavailableException">Its turn did not come within <see cref="SendBudget.LongestWait"/>.</exception>
    public Task TakeAsync(long bytes, CancellationToken cancellationToken) => _budget.TakeAsync(this, bytes, cancellationToken);

    /// <summary>Holds this many more bytes if there is room to spare: nobody waits, and half of the total is left.</summary>
    public bool TryTake(long bytes) => _budget.TryTake(this, bytes);

    /// <summary>
    /// Holds at least this many bytes, which are in memory already, and makes others give up theirs if these are too many.
    /// </summary>
    /// <returns>How many more it holds than before.</returns>
    public long Cover(long bytes) => _budget.Cover(this, bytes);

    /// <summary>Returns bytes that it holds.</summary>
    public void Give(long bytes) => _budget.Give(this, bytes);

    /// <summary>Records that the client has taken something.</summary>
    public void Progress() => Volatile.Write(ref _since, _budget.Time.GetTimestamp());

    /// <inheritdoc/>
    public void Dispose() => _budget.Give(this, long.MaxValue);

    /// <summary>Cuts the client off.</summary>
    internal void Cut()
    {
        try
        {
            _cut();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }
}
