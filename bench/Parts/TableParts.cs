using System.Text.Json;
using System.Text.Json.Serialization;
using BenchmarkDotNet.Attributes;
using Lockstep.Bench.EndToEnd;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Bench.Parts;

/// <summary>Writing 100,000 records to a table file, over its first content, and reading them back in three ways.</summary>
[MemoryDiagnoser]
public class TableParts : IDisposable
{
    private const int Most = 100_000;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lockstep-bench-");
    private readonly RecordBatch _batch = new(KeyLayout.Integer, OrderKind.Number, coalesce: true);
    private RecordShape _shape = null!;
    private string _path = "";
    private int _files;

    [GlobalSetup]
    public void SetUp()
    {
        using var output = new MemoryStream();
        BenchFeed.Write("F2", output, Most);
        var parser = new RecordParser(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));
        foreach (var line in new Lines(output.ToArray()))
        {
            parser.Parse(line, out var record);
            _batch.Add(record);
        }

        _shape = parser.Shape!;
        Apply();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    [Benchmark(Description = "write to a new table")]
    public long Apply()
    {
        _path = Path.Combine(_folder.FullName, $"{_files++}.db");
        using var writer = TableWriter.Open(_path, "table", WriterLock.Take(_path));
        return writer.Commit(new TableCommit { Batch = _batch, Shape = _shape }).Counts.Added;
    }

    [Benchmark(Description = "scan")]
    public long Scan()
    {
        long bytes = 0;
        using var scan = new Table(_path).Read();
        while (scan.Read())
            bytes += scan.Json.Length;
        return bytes;
    }

    [Benchmark(Baseline = true, Description = "read as objects of a type")]
    public long ReadTyped() => new Table(_path).Read(HostContext.Default.Host).LongCount();

    [Benchmark(Description = "read as JsonElement")]
    public long ReadElements()
    {
        long count = 0;
        using var scan = new Table(_path).Read();
        while (scan.Read())
        {
            using var document = JsonDocument.Parse(scan.Json.ToArray());
            count += document.RootElement.ValueKind == JsonValueKind.Object ? 1 : 0;
        }

        return count;
    }

    /// <summary>The lines of a feed.</summary>
    private ref struct Lines(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public ReadOnlySpan<byte> Current { get; private set; }

        public readonly Lines GetEnumerator() => this;

        public bool MoveNext()
        {
            var length = _rest.IndexOf((byte)'\n');
            if (length < 0)
                return false;
            Current = _rest[..length];
            _rest = _rest[(length + 1)..];
            return true;
        }
    }
}

/// <summary>A record of the small feeds.</summary>
internal sealed class Host
{
    [JsonPropertyName("id")]
    public long Id { get; set; }

    [JsonPropertyName("updated_at")]
    public long UpdatedAt { get; set; }

    [JsonPropertyName("deleted_at")]
    public long? DeletedAt { get; set; }

    [JsonPropertyName("ip")]
    public string Ip { get; set; } = "";

    [JsonPropertyName("port")]
    public int Port { get; set; }
}

[JsonSerializable(typeof(Host))]
internal sealed partial class HostContext : JsonSerializerContext;
