using BenchmarkDotNet.Attributes;
using Lockstep.Bench.EndToEnd;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Bench.Parts;

/// <summary>
/// The parts of a sync, each alone over the same 100,000 records, beside the least that it could cost: finding line ends, and reading the
/// tokens with System.Text.Json.
/// </summary>
[MemoryDiagnoser]
public class SyncParts
{
    private const int Most = 100_000;

    private readonly RecordBatch _batch = new(KeyLayout.Integer, OrderKind.Number, coalesce: true);
    private readonly int[] _places = new int[Most];
    private byte[] _bytes = [];
    private RecordParser _parser = null!;

    /// <summary>Which feed: F1, F2 or F3.</summary>
    [Params("F1", "F3")]
    public string Feed { get; set; } = "F1";

    [GlobalSetup]
    public void SetUp()
    {
        using var output = new MemoryStream();
        BenchFeed.Write(Feed, output, Most);
        _bytes = output.ToArray();
        _parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));
        _parser.Parse(_bytes.AsSpan(0, _bytes.AsSpan().IndexOf((byte)'\n')), out _);
        Batch();
    }

    [Benchmark(Baseline = true, Description = "find line ends")]
    public int Lines() => _bytes.AsSpan().Count((byte)'\n');

    [Benchmark(Description = "System.Text.Json, tokens only")]
    public long Tokens()
    {
        long tokens = 0;
        for (var at = 0; at < _bytes.Length; )
        {
            var length = _bytes.AsSpan(at).IndexOf((byte)'\n');
            var reader = new System.Text.Json.Utf8JsonReader(_bytes.AsSpan(at, length));
            while (reader.Read())
                tokens++;
            at += length + 1;
        }

        return tokens;
    }

    [Benchmark(Description = "frame")]
    public int Frame()
    {
        var frames = new FrameReader();
        int count = 0,
            at = 0;
        while (at < _bytes.Length)
        {
            var free = frames.GetFreeSpan();
            var length = Math.Min(free.Length, _bytes.Length - at);
            _bytes.AsSpan(at, length).CopyTo(free);
            frames.Advance(length);
            at += length;
            while (frames.TryRead(out var frame))
                count += frame.Kind == FrameKind.Object ? 1 : 0;
        }

        return count;
    }

    [Benchmark(Description = "frame and parse in one pass")]
    public int Parse()
    {
        var count = 0;
        for (var at = 0; at < _bytes.Length; count++)
            at += Next(at, out _) + 1;
        return count;
    }

    [Benchmark(Description = "frame, parse and batch")]
    public int Batch()
    {
        _batch.Reset(KeyLayout.Integer, OrderKind.Number, coalesce: true);
        for (int at = 0, length; at < _bytes.Length; at += length + 1)
        {
            length = Next(at, out var record);
            _batch.Add(record);
        }

        return _batch.Count;
    }

    [Benchmark(Description = "newest of each key, sorted")]
    public int Sort() => _batch.NewestByKey(_places);

    private int Next(int at, out RoutedRecord record) =>
        _parser.TryParseRecord(_bytes.AsSpan(at), out var length, out record)
            ? length
            : throw new InvalidOperationException("The feed holds something that is no record.");
}
