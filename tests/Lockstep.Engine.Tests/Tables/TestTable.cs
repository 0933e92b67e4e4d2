using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A table file with an open writer, fed with records as text.</summary>
internal sealed class TestTable : IDisposable
{
    private static readonly DateTimeOffset Synced = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    private readonly TempFolder _folder = new();
    private readonly RecordShapeRequest _request;
    private RecordParser _parser;

    public TestTable(Dialect dialect = Dialect.Auto, string order = WireNames.DefaultOrderField, IReadOnlyList<string>? keys = null)
    {
        _request = new RecordShapeRequest(dialect, keys, order);
        Writer = Open();
        _parser = new RecordParser(_request);
    }

    public string Path => _folder["table.db"];

    public TableWriter Writer { get; private set; }

    public Table Table => new(Path);

    /// <summary>Whether each version is written, or only the newest in each commit.</summary>
    public bool EveryVersion { get; init; }

    /// <summary>Whether the commits are those of a first load that has not ended.</summary>
    public bool IsLoading { get; set; }

    public IReadOnlyDictionary<string, string> Live => SyncRun.Read(Path);

    public void Dispose()
    {
        Writer.Dispose();
        _folder.Dispose();
    }

    /// <summary>A sync ends well, with what the table has.</summary>
    public void EndSync() => Writer.Commit(new TableCommit { At = Synced });

    public void Reopen()
    {
        Writer.Dispose();
        Writer = Open();
        _parser = Writer.State.Shape is { } shape ? new RecordParser(shape, Writer.State.Fields) : new RecordParser(_request);
    }

    /// <summary>
    /// Commits records, in one transaction unless the kind of key changes among them; returns the changes as "+1", "*1" or "-1".
    /// </summary>
    public List<string> Apply(params IEnumerable<string> records)
    {
        var changes = new List<string>();
        foreach (var batch in Batches(records))
            changes.AddRange(Describe(Writer.Commit(Commit(batch))));
        return changes;
    }

    /// <summary>Writes records in a transaction that stays open.</summary>
    public void ApplyAndKeepOpen(params IEnumerable<string> records)
    {
        foreach (var batch in Batches(records))
            Writer.Commit(Commit(batch) with { MayStayOpen = true, WantsChanges = false });
    }

    public List<string> Snapshot(SnapshotEnding ending, params IEnumerable<string> records)
    {
        Writer.BeginSnapshot();
        foreach (var batch in Batches(records))
            Writer.CommitToSnapshot(Commit(batch));
        return Complete(ending);
    }

    public void StageOnly(params IEnumerable<string> records)
    {
        Writer.BeginSnapshot();
        foreach (var batch in Batches(records))
            Writer.CommitToSnapshot(Commit(batch));
    }

    /// <summary>Stages records in a transaction that stays open.</summary>
    public void StageAndKeepOpen(params IEnumerable<string> records)
    {
        Writer.BeginSnapshot();
        foreach (var batch in Batches(records))
            Writer.CommitToSnapshot(Commit(batch) with { MayStayOpen = true });
    }

    /// <summary>What was staged replaces the records.</summary>
    public List<string> Complete(SnapshotEnding ending) =>
        Describe(Writer.CompleteSnapshot(new TableCommit { Shape = _parser.Shape, WantsChanges = true }, ending));

    public List<(string Key, long Sequence, bool IsDeleted)> Since(long sequence)
    {
        var rows = new List<(string, long, bool)>();
        using var scan = Table.Read(new RecordQuery { Since = sequence });
        while (scan.Read())
            rows.Add((scan.Key.ToString(), scan.Sequence, scan.IsDeleted));
        return rows;
    }

    private static List<string> Describe(CommitResult result) =>
        [
            .. result.Changes.Select(c =>
                c.Kind switch
                {
                    ChangeKind.Added => "+",
                    ChangeKind.Updated => "*",
                    _ => "-",
                } + c.Key
            ),
        ];

    private TableWriter Open() => TableWriter.Open(Path, "table", WriterLock.Take(Path));

    private TableCommit Commit(RecordBatch batch) =>
        new()
        {
            Batch = batch,
            Shape = _parser.Shape! with { KeyLayout = batch.Layout },
            NewFields = _parser.Fields.TakeNew(),
            WantsChanges = true,
            Feed = IsLoading ? "http://feed.example/" : null,
            At = IsLoading ? null : Synced,
        };

    private List<RecordBatch> Batches(IEnumerable<string> records)
    {
        var batches = new List<RecordBatch>();
        foreach (var record in records)
        {
            var json = Encoding.UTF8.GetBytes(record);
            Assert.True(_parser.Parse(json, out var routed) == ParsedKind.Record, $"{record}: {_parser.Reason}");
            if (batches.Count == 0 || batches[^1].Layout != _parser.Shape!.KeyLayout)
                batches.Add(new RecordBatch(_parser.Shape!.KeyLayout, _parser.Shape.OrderKind, !EveryVersion));
            batches[^1].Add(routed);
        }

        return batches;
    }
}
