using System.Buffers;
using System.Runtime.ExceptionServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Makes objects from the rest of a scan, some batches ahead of the consumer. The consuming thread scans, and shares making the objects
/// with the thread pool, because that takes longer. Objects keep the order of the scan. Never waits for a pool thread that has not started.
/// </summary>
internal sealed class ObjectsAhead<T>(RecordScan scan, JsonTypeInfo<T> type) : IDisposable
{
    // Enough that the threads seldom wait for each other, and few enough to die young in the garbage collector.
    private const int MostRecords = 256;
    private const int MostBatches = 4;
    private const int MostBytes = 64 * 1024;

    private readonly Queue<Batch> _batches = [];
    private long _bytes;
    private ExceptionDispatchInfo? _scanError;
    private bool _isScanned;

    /// <summary>The next objects, and the error that follows them; no objects when there are none left.</summary>
    public (IReadOnlyList<T> Objects, ExceptionDispatchInfo? Error) Next()
    {
        // A batch has at least one record, so a record of megabytes is alone in its batch.
        while (!_isScanned && _batches.Count < MostBatches && _bytes < MostBatches * MostBytes)
            Scan();
        if (_batches.Count == 0)
            return ([], _scanError);

        var next = _batches.Peek();
        while (!next.IsMade && _batches.FirstOrDefault(batch => batch.Claim()) is { } unclaimed)
            unclaimed.Make();
        next.Wait();
        _batches.Dequeue();
        _bytes -= next.Length;
        next.Dispose();
        if (next.Error?.SourceException is not JsonException misfit)
            return (next.Objects, next.Error);

        (_isScanned, var number) = (true, next.First + next.Objects.Count);
        return (next.Objects, ExceptionDispatchInfo.Capture(scan.MisfitAt(number, misfit, typeof(T))));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var batch in _batches)
        {
            // Unclaimed batches are never made; nothing of the caller's type runs after this.
            if (!batch.Claim())
                batch.Wait();
            batch.Dispose();
        }

        _batches.Clear();
    }

    private void Scan()
    {
        var batch = new Batch(type, scan.Count);
        try
        {
            while (batch.Count < MostRecords && batch.Length < MostBytes)
            {
                if (!scan.Read())
                {
                    _isScanned = true;
                    break;
                }

                batch.Add(scan.Json);
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The error follows the records before it.
            (_isScanned, _scanError) = (true, ExceptionDispatchInfo.Capture(e));
        }

        if (batch.Count == 0)
        {
            batch.Dispose();
            return;
        }

        _bytes += batch.Length;
        _batches.Enqueue(batch);
        batch.Start();
    }

    /// <summary>Records from which the first thread to claim them makes objects.</summary>
    private sealed class Batch(JsonTypeInfo<T> type, long first) : IDisposable
    {
        private readonly List<int> _ends = new(MostRecords);
        private readonly List<T> _objects = new(MostRecords);
        private byte[] _json = ArrayPool<byte>.Shared.Rent(MostBytes);
        private Task _work = Task.CompletedTask;
        private int _claims;
        private volatile bool _isMade;

        /// <summary>The number of its first record among those scanned, from 0.</summary>
        public long First => first;

        public int Count => _ends.Count;

        public int Length => _ends.Count > 0 ? _ends[^1] : 0;

        public List<T> Objects => _objects;

        public ExceptionDispatchInfo? Error { get; private set; }

        public bool IsMade => _isMade;

        public void Add(ReadOnlySpan<byte> json)
        {
            var start = Length;
            if (_json.Length - start < json.Length)
            {
                var larger = ArrayPool<byte>.Shared.Rent(start + json.Length);
                _json.AsSpan(0, start).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_json);
                _json = larger;
            }

            json.CopyTo(_json.AsSpan(start));
            _ends.Add(start + json.Length);
        }

        public void Start() =>
            _work = Task.Run(() =>
            {
                if (Claim())
                    Make();
            });

        /// <summary>Claims the batch; true if the caller is to make the objects, and nobody else.</summary>
        public bool Claim() => Interlocked.Increment(ref _claims) == 1;

        public void Make()
        {
            var start = 0;
            try
            {
                foreach (var end in _ends)
                {
                    _objects.Add(
                        JsonSerializer.Deserialize(_json.AsSpan(start, end - start), type) ?? throw new JsonException("It is null.")
                    );
                    start = end;
                }
            }
            catch (Exception e)
            {
                Error = ExceptionDispatchInfo.Capture(e);
            }

            _isMade = true;
        }

        /// <summary>Waits until the claiming thread has made the objects.</summary>
        public void Wait()
        {
            if (!IsMade)
                _work.GetAwaiter().GetResult();
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(_json);
    }
}
