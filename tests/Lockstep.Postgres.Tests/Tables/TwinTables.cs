using System.Text;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>
/// A table in PostgreSQL and one in a file that get the same operations; both must then have the same content and give the same answers.
/// </summary>
internal sealed class TwinTables : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly PostgresTableStore _store;
    private readonly bool _coalesces;
    private readonly PostgresTableWriter _postgres;
    private readonly TableWriter _file;
    private readonly ITableTarget[] _targets;
    private readonly RecordParser _parser = new(new RecordShapeRequest(Dialect.Auto, null, WireNames.DefaultOrderField));

    private TwinTables(PostgresTableStore store, ITableTarget target, bool coalesces)
    {
        (_store, _coalesces, _postgres) = (store, coalesces, (PostgresTableWriter)target);
        _file = TableWriter.Open(_folder["twin.db"], "twin", WriterLock.Take(_folder["twin.db"]));
        _targets = [_postgres, _file];
    }

    /// <summary>The names that records may have as fields.</summary>
    public IReadOnlyList<string> Fields { get; set; } = ["id", "updated_at", "deleted_at", "value"];

    public TableState State => _targets[0].State;

    public ITable Postgres => _store.Get("twin");

    public ITable File => new Table(_folder["twin.db"]);

    /// <param name="store">The database.</param>
    /// <param name="coalesces">Whether only the newest version of each record in a batch is applied, or each one.</param>
    /// <param name="cancellationToken">Ends the wait for the lead.</param>
    public static async Task<TwinTables> OpenAsync(PostgresTableStore store, bool coalesces, CancellationToken cancellationToken) =>
        new(store, await store.OpenAsync("twin", default, TimeProvider.System, cancellationToken), coalesces);

    public void Commit(IEnumerable<string> records, Cursor? cursor = null) =>
        Both(target =>
        {
            CommitResult? last = null;
            foreach (var batch in Batches(records))
                last = target.Commit(CommitOf(batch) with { Cursor = cursor });
            return Describe(last ?? CommitResult.Nothing);
        });

    /// <summary>Commits no record, but everything else there is to commit.</summary>
    public void Commit(TableCommit commit) => Both(target => Describe(target.Commit(commit)));

    /// <summary>Stages a snapshot that holds records of one batch, counts what it lacks, and discards it.</summary>
    public string CountAbsent(IEnumerable<string> records, params long[] kept)
    {
        var said = "";
        Both(target =>
        {
            target.BeginSnapshot();
            foreach (var batch in Batches(records))
                target.CommitToSnapshot(CommitOf(batch));
            var (count, examples) = target.CountAbsent([.. kept.Select(key => KeyEncoding.Encode(key).ToArray())]);
            target.DiscardSnapshot();
            return said = $"{count}: {string.Join(' ', examples)}";
        });
        return said;
    }

    /// <param name="ending">What its end means.</param>
    /// <param name="batches">What it contains.</param>
    /// <param name="givesUp">Whether it is discarded.</param>
    /// <param name="kept">The integer keys of its malformed records.</param>
    public void Snapshot(SnapshotEnding ending, IReadOnlyList<IReadOnlyList<string>> batches, bool givesUp = false, params long[] kept) =>
        Both(target =>
        {
            target.BeginSnapshot();
            foreach (var batch in batches.SelectMany(Batches))
                target.CommitToSnapshot(CommitOf(batch));
            var end = new TableCommit
            {
                Shape = _parser.Shape,
                WantsChanges = true,
                Kept = [.. kept.Select(key => KeyEncoding.Encode(key).ToArray())],
            };
            if (givesUp)
                target.DiscardSnapshot();
            return givesUp ? "" : Describe(target.CompleteSnapshot(end, ending));
        });

    public void Clear()
    {
        _postgres.Clear();
        _file.Clear();
    }

    public void ClearTombstones(Cursor before) => Assert.Equal(_file.ClearTombstones(before), _postgres.ClearTombstones(before));

    /// <summary>Both give the same answer to a query, or refuse it with the same words.</summary>
    public void AssertAlike(RecordQuery query)
    {
        var (file, postgres) = (Answer(File), Answer(Postgres));
        if (file != postgres)
        {
            Assert.Fail(
                $"{query}\n{string.Join('\n', file.Split('\n').Except(postgres.Split('\n')))}\nis in the file, in "
                    + $"PostgreSQL there is\n{string.Join('\n', postgres.Split('\n').Except(file.Split('\n')))}"
            );
        }

        string Answer(ITable table)
        {
            try
            {
                using var scan = table.Read(query);
                return string.Join('\n', Lines(scan).Prepend($"{table.Count(query)}"));
            }
            catch (FilterException e)
            {
                return $"{e.Message} {e.RecommendedAction}";
            }
        }
    }

    public void AssertEqual()
    {
        var (postgres, file) = (_targets[0].Committed, _targets[1].Committed);
        Assert.Equal(
            (file.Rows, file.Tombstones, file.Sequence, file.Cursor),
            (postgres.Rows, postgres.Tombstones, postgres.Sequence, postgres.Cursor)
        );
        Assert.Equal(file.Fields.Order(StringComparer.Ordinal), postgres.Fields.Order(StringComparer.Ordinal));
        var all = new RecordQuery { IncludeDeleted = true };
        using var mine = Postgres.Read(all);
        using var its = File.Read(all);
        Assert.Equal(Lines(its), Lines(mine));
    }

    public void Dispose()
    {
        foreach (var target in _targets)
            target.Dispose();
        _folder.Dispose();
    }

    public static List<string> Lines(IRecordScan scan)
    {
        List<string> lines = [];
        while (scan.Read())
            lines.Add($"{scan.Sequence} {scan.IsDeleted} {scan.Key} {Encoding.UTF8.GetString(scan.Json)}");
        return lines;
    }

    private static string Describe(CommitResult result) =>
        $"{result.Counts} {result.Swept} "
        + string.Join(' ', result.Changes.Select(c => $"{c.Kind} {c.Key} {c.Sequence} {Encoding.UTF8.GetString(c.Record.Span)}"));

    private void Both(Func<ITableTarget, string> act) => Assert.Equal(act(_targets[1]), act(_targets[0]));

    private TableCommit CommitOf(RecordBatch batch) =>
        new()
        {
            Batch = batch,
            Shape = _parser.Shape! with { KeyLayout = batch.Layout },
            NewFields = Fields,
            WantsChanges = true,
        };

    private List<RecordBatch> Batches(IEnumerable<string> records)
    {
        List<RecordBatch> batches = [];
        foreach (var record in records)
        {
            var json = Encoding.UTF8.GetBytes(record);
            Assert.True(_parser.Parse(json, out var routed) == ParsedKind.Record, $"{record}: {_parser.Reason}");
            if (batches.Count == 0 || batches[^1].Layout != _parser.Shape!.KeyLayout)
                batches.Add(new RecordBatch(_parser.Shape!.KeyLayout, _parser.Shape.OrderKind, _coalesces));
            batches[^1].Add(routed);
        }

        return batches;
    }
}
