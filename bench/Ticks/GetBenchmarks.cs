using System.Collections.Concurrent;
using BenchmarkDotNet.Attributes;
using Lockstep.Ticks;
using Microsoft.Extensions.Caching.Memory;

namespace Lockstep.Bench.Ticks;

/// <summary>What reading a tick variable costs beside a volatile read and what programs use for the same purpose.</summary>
[MemoryDiagnoser]
public class GetBenchmarks : IDisposable
{
    private const string Name = "checkout.percent";
    private readonly MemoryTickStore _store = new();
    private readonly ConcurrentDictionary<string, int> _dictionary = new(StringComparer.Ordinal);
    private readonly MemoryCache _cache = new(new MemoryCacheOptions());
    private TickLocker _locker = null!;
    private TickVariable<int> _variable = null!;
    private TickVariable<string> _text = null!;
    private int _field = 42;

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        // Active at once: in the past, where only a store's own operation can write.
        var past = new TickTuple(DateTimeOffset.UnixEpoch, "42", TimeSpan.FromSeconds(10));
        await _store.ChangeAsync(
            Name,
            "bench",
            _ => new TickEdit([new TickOperation(TickAction.Set, past)], null, null),
            CancellationToken.None
        );
        await _store.ChangeAsync(
            "text",
            "bench",
            _ => new TickEdit([new TickOperation(TickAction.Set, new TickTuple(past.ActiveAt, "\"blue\"", past.Tick))], null, null),
            CancellationToken.None
        );
        _locker = new TickLocker(_store);
        _variable = await _locker.OpenAsync<int>(Name);
        _text = await _locker.OpenAsync<string>("text");
        if (_variable.Get() != 42 || _text.Get() != "blue")
            throw new InvalidOperationException("The variables are not set.");
        _dictionary[Name] = 42;
        _cache.Set(Name, 42);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _locker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _cache.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true)]
    public int VolatileRead() => Volatile.Read(ref _field);

    [Benchmark]
    public int Get() => _variable.Get();

    [Benchmark]
    public string? GetString() => _text.Get();

    [Benchmark]
    public int ConcurrentDictionaryLookup() => _dictionary.TryGetValue(Name, out var value) ? value : 0;

    [Benchmark]
    public int MemoryCacheLookup() => _cache.TryGetValue<int>(Name, out var value) ? value : 0;
}
