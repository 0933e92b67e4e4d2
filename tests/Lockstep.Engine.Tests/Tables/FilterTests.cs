using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A filter is one read-only expression over the fields.</summary>
public sealed class FilterTests : IDisposable
{
    private readonly TestTable _table = new();

    public FilterTests()
    {
        _table.Apply(
            """{"id":1,"updated_at":1,"ip":"10.0.0.1","port":80,"tags":["a","b"],"up":true}""",
            """{"id":2,"updated_at":2,"ip":"10.0.0.2","port":8080,"up":false,"Port":5}""",
            """{"id":3,"updated_at":3,"ip":"it's","port":null}""",
            """{"id":4,"updated_at":4,"deleted_at":4,"port":9999}"""
        );
    }

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData("port > 1000", "2")]
    [InlineData("ip like '10.%'", "1,2")]
    [InlineData("up", "1")]
    [InlineData("port is null or port = 80", "1,3")]
    [InlineData("port > 1000 -- a comment", "2")]
    [InlineData("port /* in between */ > 1000", "2")]
    [InlineData("exists (select 1 from json_each(tags) where value = 'b')", "1")]
    [InlineData("\"port\" = 80 and length(ip) > 3", "1")]
    [InlineData("case when port = 80 then 1 end", "1")]
    [InlineData("(id) = (1) or (id) = (3)", "1,3")]
    [InlineData("ip = 'it''s'", "3")]
    [InlineData("updated_at between 2 and 3", "2,3")]
    public void Expressions_over_the_fields_select(string filter, string expected)
    {
        Assert.Equal(expected, string.Join(",", Keys(filter)));
        Assert.Equal(expected.Split(',').Length, _table.Table.Count(new RecordQuery { Filter = filter }));
    }

    [Theory]
    [InlineData("Port = 5", "2")]
    [InlineData("\"Port\" is not null", "2")]
    [InlineData("Port between 4 and 6 and port > 100", "2")]
    [InlineData("coalesce(Port, port) = 5", "2")]
    [InlineData("port in (5, 8080)", "2")]
    [InlineData("PORT = 80", "1")]
    [InlineData("port_2 = 5", "2")]
    public void Of_fields_that_differ_by_case_the_one_that_is_spelled_so_is_meant(string filter, string expected) =>
        Assert.Equal(expected, string.Join(",", Keys(filter)));

    [Theory]
    [InlineData("p = 5", "3")]
    [InlineData("p is null", "1,4")]
    [InlineData("p is not null", "2,3")]
    [InlineData("p || '' = '1'", "2")]
    [InlineData("coalesce(p, 0) > 4", "3")]
    public void A_name_that_goes_on_after_a_NUL_is_another_name(string filter, string expected)
    {
        using var table = new TestTable();
        table.Apply(
            """{"id":1,"updated_at":1,"p\u0000":5}""",
            """{"id":2,"updated_at":2,"p\u0000x":7,"p":1}""",
            """{"id":3,"updated_at":3,"p":5}""",
            """{"id":4,"updated_at":4,"note":"p\u0000"}"""
        );

        Assert.Equal(expected, string.Join(",", Keys(table, filter)));
        Assert.Equal(expected.Split(',').Length, table.Table.Count(new RecordQuery { Filter = filter }));
    }

    [Theory]
    [InlineData("length(printf('%.*c', 500000000, 'x')) > 0")]
    [InlineData("length(replace(printf('%.*c', 60000000, 'x'), 'x', 'xxxxxxxxxx')) > 0")]
    [InlineData("length(hex(printf('%.*c', 60000000, 'x'))) > 0")]
    public void A_filter_makes_no_text_of_gigabytes(string filter) => Assert.Throws<FilterException>(() => Keys(filter).ToArray());

    [Fact]
    public void A_filter_has_a_longest_length() =>
        Assert.Throws<FilterException>(() => Keys("1" + new string(' ', FilterGuard.MaximumLength)).ToArray());

    [Theory]
    [InlineData("1) THEN 1 END OR CASE WHEN (1")]
    [InlineData("1) THEN 1 END; DROP TABLE lockstep_row; --")]
    [InlineData("1); DELETE FROM lockstep_row; --")]
    [InlineData("1; SELECT 1")]
    [InlineData("1 LIMIT 0 OFFSET 1")]
    [InlineData("exists (select 1 from lockstep_table)")]
    [InlineData("exists (select 1 from lockstep_quarantine)")]
    [InlineData("exists (select 1 from sqlite_master)")]
    [InlineData("exists (select * from pragma_database_list)")]
    [InlineData("(with recursive r(x) as (select 1 union all select x + 1 from r) select count(*) from r) > 0")]
    [InlineData("PRAGMA journal_mode=DELETE")]
    [InlineData("attach '/tmp/x' as x")]
    [InlineData("load_extension('x')")]
    [InlineData("readfile('/etc/passwd') is not null")]
    [InlineData("zeroblob(1000000000) is null")]
    [InlineData("nofield = 1")]
    [InlineData("\"nofield\" = 1")]
    [InlineData("")]
    [InlineData("1 /*")]
    [InlineData("'open")]
    [InlineData("1,2")]
    [InlineData("(1")]
    [InlineData("1)")]
    public void Anything_else_is_refused_and_does_nothing(string filter)
    {
        var error = Assert.Throws<FilterException>(() => Keys(filter));

        Assert.Equal(filter, error.Filter);
        Assert.NotEmpty(error.RecommendedAction);
        Assert.DoesNotMatch(@"[.?!]\.$", error.Message);
        Assert.Equal(3, _table.Live.Count);
    }

    [Fact]
    public void What_fails_for_a_record_is_the_filters_fault_and_not_the_files()
    {
        Assert.Throws<FilterException>(() => Keys("json_extract(ip, '$.x') = 1"));
        Assert.Throws<FilterException>(() =>
            _table.Table.Count(new RecordQuery { Filter = "abs(id - 9223372036854775807 - 2) > 0 or json_extract(ip, 'x') = 1" })
        );
    }

    [Fact]
    public void Parameters_are_values_and_never_sql()
    {
        Assert.Equal(["2"], Keys("ip = :ip", ("ip", "10.0.0.2")));
        Assert.Empty(Keys("ip = $ip", ("ip", "' or 1=1 --")));
        Assert.Equal(["2"], Keys("port > @low and up = @flag", ("low", 1000L), ("flag", false)));
        Assert.Equal(["3"], Keys("port is :nothing", ("nothing", null)));
        Assert.Equal(["2"], Keys("port = :big", ("big", 8080.0)));
    }

    [Fact]
    public void A_parameter_without_a_value_and_a_value_without_a_parameter_are_errors()
    {
        Assert.Contains(":ip", Assert.Throws<FilterException>(() => Keys("ip = :ip")).Message, StringComparison.Ordinal);
        Assert.Contains(":other", Assert.Throws<FilterException>(() => Keys("port = 80", ("other", 1))).Message, StringComparison.Ordinal);
        Assert.Throws<FilterException>(() => Keys("ip = ?", ("ip", "x")));
        Assert.Throws<FilterException>(() => Keys("ip = @lockstep_key0", ("lockstep_key0", "x")));
        Assert.Throws<FilterException>(() => Keys("ip = :ip", ("ip", new object())));
    }

    private List<string> Keys(string filter, params (string Name, object? Value)[] parameters) => Keys(_table, filter, parameters);

    private static List<string> Keys(TestTable table, string filter, params (string Name, object? Value)[] parameters)
    {
        var keys = new List<string>();
        using var scan = table.Table.Read(
            new RecordQuery { Filter = filter, FilterParameters = parameters.ToDictionary(p => p.Name, p => p.Value) }
        );
        while (scan.Read())
            keys.Add(scan.Key.ToString());
        return keys;
    }
}
