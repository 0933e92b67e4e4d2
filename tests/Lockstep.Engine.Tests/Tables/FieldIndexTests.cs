using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using SQLitePCL;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A field may have an index: filters use it, and it is maintained whatever happens to the rows.</summary>
public sealed class FieldIndexTests : IDisposable
{
    private readonly TestTable _table = new();

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData("port = 1005")]
    [InlineData("port > 1990 and ip like '10.%'")]
    [InlineData("port between 1000 and 1010")]
    [InlineData("port in (1001, 1002)")]
    [InlineData("port > 1000")]
    public void A_filter_finds_by_the_index_and_finds_the_same(string filter)
    {
        Fill();
        var found = Keys(filter);
        Assert.NotEmpty(found);
        Assert.DoesNotContain("lockstep_by_port", Plan(filter), StringComparison.Ordinal);

        Index("port");

        Assert.Contains("lockstep_by_port", Plan(filter), StringComparison.Ordinal);
        Assert.Equal(found, Keys(filter));
        Assert.Equal(found.Count, _table.Table.Count(new RecordQuery { Filter = filter }));
    }

    [Fact]
    public void What_closes_its_bracket_stays_within_it()
    {
        Fill();
        _table.Apply("""{"id":1,"updated_at":3000,"deleted_at":3000,"port":1001}""");
        Index("port");

        Assert.DoesNotContain("1", Keys("port = 0) or (port = 1001"));
        Assert.Throws<FilterException>(() => Keys("1)) or ((1"));
    }

    [Fact]
    public void The_indexes_are_those_last_named()
    {
        Fill();
        Index("port", "ip");
        Assert.Equal(["port", "ip"], _table.Table.GetInfo().Indexes);

        Index("ip");
        Assert.Equal(["ip"], _table.Table.GetInfo().Indexes);
        Assert.DoesNotContain("lockstep_by", Plan("port = 1005"), StringComparison.Ordinal);

        Index();
        Assert.Empty(_table.Table.GetInfo().Indexes);
        Assert.DoesNotContain("lockstep_by", Plan("ip = '10.0.0.5'"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_is_kept_through_changes_snapshots_another_layout_and_clearing()
    {
        Fill();
        Index("port");
        _table.Apply("""{"id":5,"updated_at":4000,"ip":"10.0.0.5","port":7}""");
        Assert.Equal(["5"], Keys("port = 7"));

        _table.Snapshot(SnapshotEnding.Sweep, """{"id":6,"updated_at":4001,"port":8}""");
        Assert.Equal(["6"], Keys("port = 8"));
        Assert.Empty(Keys("port = 7"));
        Assert.Contains("lockstep_by_port", Plan("port = 8"), StringComparison.Ordinal);

        _table.Apply("""{"id":0.5,"updated_at":4002,"port":9}""");
        Assert.Equal(["0.5"], Keys("port = 9"));
        Assert.Contains("lockstep_by_port", Plan("port = 9"), StringComparison.Ordinal);

        _table.Writer.Clear();
        Assert.Equal(["port"], _table.Table.GetInfo().Indexes);
        _table.Reopen();
        _table.Apply("""{"id":1,"updated_at":1,"port":10}""");
        Assert.Contains("lockstep_by_port", Plan("port = 10"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_table_may_be_told_what_to_index()
    {
        Index("port");
        Fill();
        Assert.Contains("lockstep_by_port", Plan("port = 1005"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("prot")]
    [InlineData("a\"b")]
    public void A_field_that_is_not_there_or_has_no_path_is_refused(string field)
    {
        Fill();
        Assert.Equal(field, Assert.Throws<FieldIndexException>(() => _table.Writer.SetIndexes([field])).Field);
        Assert.Empty(_table.Table.GetInfo().Indexes);
    }

    [Fact]
    public void Sixteen_are_the_most() =>
        Assert.Throws<FieldIndexException>(() => _table.Writer.SetIndexes([.. Enumerable.Range(0, 17).Select(i => $"f{i}")]));

    private void Fill() =>
        _table.Apply(
            Enumerable
                .Range(1, 2000)
                .Select(i => $$"""{"id":{{i}},"updated_at":{{i}},"ip":"10.0.0.{{i % 250}}","port":{{1000 + (i % 1000)}}}""")
        );

    private void Index(params string[] fields) => _table.Writer.SetIndexes(fields);

    private List<string> Keys(string filter)
    {
        using var scan = _table.Table.Read(new RecordQuery { Filter = filter });
        var keys = new List<string>();
        while (scan.Read())
            keys.Add(scan.Key.ToString());
        return keys;
    }

    /// <summary>How SQLite answers the query of a filter.</summary>
    private string Plan(string filter)
    {
        using var connection = ReadConnection.Open(_table.Path);
        var sql = "";
        strdelegate_trace trace = (_, statement) => sql = statement;
        using (var statement = new RecordSelect(connection, TableState.Load(connection), new RecordQuery { Filter = filter }).Prepare())
        {
            raw.sqlite3_trace(connection.Handle, trace, null);
            statement.Step();
            raw.sqlite3_trace(connection.Handle, (strdelegate_trace?)null, null);
        }

        using var explain = connection.CreateCommand();
        explain.CommandText = "EXPLAIN QUERY PLAN " + sql;
        using var row = explain.ExecuteReader();
        var plan = "";
        while (row.Read())
            plan += row.GetString(3) + "\n";
        return plan;
    }
}
