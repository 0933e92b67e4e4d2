using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Lockstep.Engine;
using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;
using Lockstep.Engine.Sync;

namespace Lockstep.Serving;

/// <summary>
/// The live updates of a feed as one sequence of numbered pages, the same for all clients, so that a cache can hold each and request it
/// once. One reader follows the source, as a client would, and cuts what it gets: a page ends with rows, or with the heartbeat of a silent
/// feed, and never changes afterwards. The sequence has a random name, so an address from an earlier one never means another page: a
/// cached page is what its reader got at that place, however old it is. Thread-safe.
/// </summary>
internal sealed class SharedUpdates(IFeedSource source, TimeSpan heartbeat, TimeProvider time, CancellationToken stopping)
{
    /// <summary>
    /// The shortest time between the ends of two pages: clients ask no more often than every 100 ms, so those that are behind catch up.
    /// </summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>The same for a page that is full.</summary>
    private static readonly TimeSpan FullInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>The longest that a page may take: proxies wait for 30 to 60 seconds.</summary>
    private static readonly TimeSpan LongestPage = TimeSpan.FromSeconds(20);

    /// <summary>The most bytes of pages that are kept for clients that are behind; the newest page is kept whatever its size.</summary>
    public const long KeptBytes = 16L << 20;

    /// <summary>How long the source is followed after the last request; longer than a page may take.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private Sequence? _sequence;
    private long _asked;

    /// <summary>The work that follows the source; done when nobody asks any more.</summary>
    public Task Following { get; private set; } = Task.CompletedTask;

    /// <summary>
    /// The page that ends next: who reads everything from the source after this call, and then the pages from this one on, misses nothing.
    /// </summary>
    /// <exception cref="FeedServingException">The source cannot be read.</exception>
    public async Task<SharedPlace> JoinAsync(CancellationToken cancellationToken)
    {
        Sequence sequence;
        lock (_gate)
        {
            _asked = time.GetTimestamp();
            if (_sequence is null)
            {
                stopping.ThrowIfCancellationRequested();
                _sequence = sequence = new Sequence();
                Following = Task.Run(() => FollowAsync(sequence), CancellationToken.None);
            }

            sequence = _sequence;
        }

        var (identity, key) = await sequence.Begun.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        lock (_gate)
            return new SharedPlace(identity, key, sequence.Name, sequence.Next);
    }

    /// <summary>A page, once it has ended; null if there is none, or no longer.</summary>
    /// <exception cref="FeedServingException">The source cannot be read any more.</exception>
    public async Task<SharedPage?> ReadAsync(string name, long number, CancellationToken cancellationToken)
    {
        Task<SharedPage> page;
        lock (_gate)
        {
            if (_sequence is not { } sequence || sequence.Name != name || number < sequence.First || number > sequence.Next)
                return null;
            _asked = time.GetTimestamp();
            page = number == sequence.Next ? sequence.Open.Task : Task.FromResult(sequence.Pages[(int)(number - sequence.First)]);
        }

        return await page.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private bool IsWanted
    {
        get
        {
            lock (_gate)
                return time.GetElapsedTime(_asked) < Patience;
        }
    }

    private async Task FollowAsync(Sequence sequence)
    {
        Exception end = new FeedUnavailableException($"'{source.Name}' is not followed at the moment.", TimeSpan.FromSeconds(1));
        try
        {
            var silence = heartbeat < LongestPage ? heartbeat : LongestPage;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            var state = await source.GetStateAsync(stop.Token).ConfigureAwait(false);
            var reading = await source.OpenAsync(new FeedRequest(state.Horizon, state.Identity, silence), stop.Token).ConfigureAwait(false);
            sequence.Begun.TrySetResult((reading.Identity, reading.KeyColumns));
            await CutAsync(sequence, reading, stop).ConfigureAwait(false);
        }
        catch (Exception e) when (e is LockstepException or OperationCanceledException)
        {
            end = e;
        }
        finally
        {
            lock (_gate)
                _sequence = null;
            sequence.Open.TrySetException(end);
            sequence.Begun.TrySetException(end);

            // Nobody may be waiting for either.
            _ = (sequence.Open.Task.Exception, sequence.Begun.Task.Exception);
        }
    }

    /// <summary>Reads the source and ends pages, until nobody asks for them any more.</summary>
    private async Task CutAsync(Sequence sequence, FeedReading reading, CancellationTokenSource stop)
    {
        var chunks = reading.Chunks.GetAsyncEnumerator(stop.Token);
        var next = chunks.MoveNextAsync().AsTask();
        try
        {
            var page = new PageBuilder(reading, time);
            for (var ended = time.GetTimestamp() - time.TimestampFrequency; IsWanted; )
            {
                if (page.HasContent)
                {
                    var isFull = page.Bytes >= PageSize.Bytes;
                    var age = time.GetElapsedTime(ended);

                    // After rows alone more follows at once.
                    var left =
                        isFull ? FullInterval - age
                        : page.IsCaughtUp || age > LongestPage ? Interval - age
                        : Interval;
                    if (isFull && left > TimeSpan.Zero)
                        await Task.Delay(left, time, stop.Token).ConfigureAwait(false);
                    if (isFull || left <= TimeSpan.Zero || !await next.CompletesWithinAsync(left, time).ConfigureAwait(false))
                    {
                        Add(sequence, await page.EndAsync().ConfigureAwait(false));
                        ended = time.GetTimestamp();
                        continue;
                    }
                }

                if (!await next.ConfigureAwait(false))
                    return;
                await page.AddAsync(chunks.Current, stop.Token).ConfigureAwait(false);
                next = chunks.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await chunks.DisposeAsync().ConfigureAwait(false);
        }
    }

    private void Add(Sequence sequence, SharedPage page)
    {
        TaskCompletionSource<SharedPage> ended;
        lock (_gate)
        {
            sequence.Pages.Add(page);
            sequence.Bytes += page.Body.Length;
            var excess = 0;
            for (; sequence.Bytes > KeptBytes && excess < sequence.Pages.Count - 1; excess++)
                sequence.Bytes -= sequence.Pages[excess].Body.Length;
            sequence.Pages.RemoveRange(0, excess);
            sequence.First += excess;
            (ended, sequence.Open) = (sequence.Open, NewPage());
        }

        ended.SetResult(page);
    }

    private static TaskCompletionSource<SharedPage> NewPage() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Sequence
    {
        public string Name { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

        public TaskCompletionSource<(string Identity, IReadOnlyList<string> Key)> Begun { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The pages that have ended, from number <see cref="First"/> on.</summary>
        public List<SharedPage> Pages { get; } = [];

        public long First { get; set; }

        public long Bytes { get; set; }

        public long Next => First + Pages.Count;

        /// <summary>The page that ends next.</summary>
        public TaskCompletionSource<SharedPage> Open { get; set; } = NewPage();
    }

    /// <summary>The page that has not ended.</summary>
    private sealed class PageBuilder(FeedReading reading, TimeProvider time)
    {
        private Pipe _body = NewBody();
        private FeedLineWriter? _writer;
        private FeedMark? _mark = reading.Mark;
        private long? _reached;

        public bool HasContent => _writer is not null;

        /// <summary>Whether the source had nothing more after what the page holds.</summary>
        public bool IsCaughtUp => _reached is not null;

        public long Bytes => _writer?.Bytes ?? 0;

        public async Task AddAsync(FeedChunk chunk, CancellationToken cancellationToken)
        {
            _mark = FeedMark.Later(chunk.Mark, _mark);
            if (_writer is null)
            {
                _writer = new FeedLineWriter(_body.Writer, null, reading.KeyColumns, time);

                // Each page says it: a client may begin with any.
                if (_mark is { } mark)
                    _writer.WriteMark(mark);
            }
            else if (chunk.Mark is { } mark)
            {
                _writer.WriteMark(mark);
            }

            await _writer.WriteRowsAsync(chunk, cancellationToken).ConfigureAwait(false);
            _reached = chunk.Kind is FeedChunkKind.CaughtUp or FeedChunkKind.SnapshotCompleted ? chunk.Since : null;
        }

        public async Task<SharedPage> EndAsync()
        {
            if (_reached is { } since)
                _writer!.WriteHeartbeat(since);
            await _body.Writer.CompleteAsync().ConfigureAwait(false);
            var body = (await _body.Reader.ReadAtLeastAsync((int)_writer!.Bytes).ConfigureAwait(false)).Buffer.ToArray();
            await _body.Reader.CompleteAsync().ConfigureAwait(false);
            SharedPage page = new(reading.Identity, reading.KeyColumns, body, _writer.Rows);
            (_body, _writer, _reached) = (NewBody(), null, null);
            return page;
        }

        private static Pipe NewBody() => new(new PipeOptions(pauseWriterThreshold: 0));
    }
}

/// <summary>Where a client continues with the shared pages.</summary>
/// <param name="Identity">Whose updates they are.</param>
/// <param name="KeyColumns">As in <see cref="FeedState"/>.</param>
/// <param name="Sequence">The sequence's name.</param>
/// <param name="Number">The page's number, from 0.</param>
internal sealed record SharedPlace(string Identity, IReadOnlyList<string> KeyColumns, string Sequence, long Number);

/// <summary>A page of updates that has ended.</summary>
/// <param name="Identity">The feed's identity.</param>
/// <param name="KeyColumns">As in <see cref="FeedState"/>.</param>
/// <param name="Body">Whole lines.</param>
/// <param name="Rows">How many of them are rows.</param>
internal sealed record SharedPage(string Identity, IReadOnlyList<string> KeyColumns, ReadOnlyMemory<byte> Body, long Rows);
