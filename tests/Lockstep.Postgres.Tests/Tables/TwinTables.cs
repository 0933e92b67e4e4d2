using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>A table in PostgreSQL and one in a file, to which the same is done; both must then be and say the same.</summary>
internal sealed class TwinTables : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly PostgresTableStore _store;
    private readonly ITableTarget[] _targets;
    private readonly RecordParser _parser = new(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));

    private TwinTables(PostgresTableStore store, ITableTarget target)
    {
        _store = store;
        _targets = [target, TableWriter.Open(_folder["twin.db"], "twin", WriterLock.Take(_folder["twin.db"]))];
    }

    public TableState State => _targets[0].State;

    public static async Task<TwinTables> OpenAsync(PostgresTableStore store, CancellationToken cancellationToken) =>
        new(store, await store.OpenAsync("twin", TimeProvider.System, cancellationToken));

    public void Commit(IEnumerable<string> records, Cursor? cursor = null) => Both(target =>
    {
        CommitResult? last = null;
        foreach (var batch in Batches(records)) last = target.Commit(CommitOf(batch) with { Cursor = cursor });
        return Describe(last ?? CommitResult.Nothing);
    });

    public void Snapshot(SnapshotEnding ending, IReadOnlyList<IReadOnlyList<string>> batches, bool givesUp = false) => Both(target =>
    {
        target.BeginSnapshot();
        foreach (var batch in batches.SelectMany(Batches)) target.CommitToSnapshot(CommitOf(batch));
        if (givesUp) target.DiscardSnapshot();
        return givesUp ? "" : Describe(target.CompleteSnapshot(new TableCommit { Shape = _parser.Shape, WantsChanges = true }, ending));
    });

    public void AssertEqual()
    {
        var (postgres, file) = (_targets[0].Committed, _targets[1].Committed);
        Assert.Equal((file.Rows, file.Tombstones, file.Sequence, file.Cursor), (postgres.Rows, postgres.Tombstones, postgres.Sequence, postgres.Cursor));
        Assert.Equal(file.Fields.Order(StringComparer.Ordinal), postgres.Fields.Order(StringComparer.Ordinal));
        var all = new RecordQuery { IncludeDeleted = true };
        using var mine = _store.Get("twin").Read(all);
        using IRecordScan its = new Table(_folder["twin.db"]).Read(all);
        Assert.Equal(Lines(its), Lines(mine));
    }

    public void Dispose()
    {
        foreach (var target in _targets) target.Dispose();
        _folder.Dispose();
    }

    public static List<string> Lines(IRecordScan scan)
    {
        List<string> lines = [];
        while (scan.Read()) lines.Add($"{scan.Sequence} {scan.IsDeleted} {scan.Key} {Encoding.UTF8.GetString(scan.Json)}");
        return lines;
    }

    private static string Describe(CommitResult result) =>
        $"{result.Counts} {result.Swept} " + string.Join(' ', result.Changes.Select(c => $"{c.Kind} {c.Key} {c.Sequence} {Encoding.UTF8.GetString(c.Record.Span)}"));

    private void Both(Func<ITableTarget, string> act) => Assert.Equal(act(_targets[1]), act(_targets[0]));

    private TableCommit CommitOf(RecordBatch batch) => new()
    {
        Batch = batch, Shape = _parser.Shape! with { KeyLayout = batch.Layout }, NewFields = ["id", "updated_at", "deleted_at", "value"], WantsChanges = true,
    };

    private List<RecordBatch> Batches(IEnumerable<string> records)
    {
        List<RecordBatch> batches = [];
        foreach (var record in records)
        {
            var json = Encoding.UTF8.GetBytes(record);
            Assert.True(_parser.Parse(json) == ParsedKind.Record, $"{record}: {_parser.Reason}");
            if (batches.Count == 0 || batches[^1].Layout != _parser.Shape!.KeyLayout) batches.Add(new RecordBatch(_parser.Shape!.KeyLayout, _parser.Shape.OrderKind, coalesce: true));
            batches[^1].Add(_parser, json);
        }

        return batches;
    }
}
