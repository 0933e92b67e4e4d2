using System.Diagnostics;
using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Any SQLite tool sees a view with the table's name and a column per field.</summary>
public sealed class ViewTests
{
    [Fact]
    public void The_view_has_a_column_per_field_and_gets_those_that_come_later()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1,"ip":"a"}""");
        Assert.Equal("1|1|a", Query(table.Path, "select * from \"table\""));

        table.Apply("""{"id":2,"updated_at":2,"port":7}""", """{"id":1,"updated_at":3,"deleted_at":1}""");

        Assert.Equal("2|2||7|", Query(table.Path, "select id, updated_at, ip, port, deleted_at from \"table\""));
    }

    [Fact]
    public void Field_names_may_hold_anything()
    {
        using var table = new TestTable();
        table.Apply(
            """{"id":1,"updated_at":2,"a\"b":3,"it's":4,"Port":5,"port":6,"":7,"back\\slash":8,"$.x[0]":9,"ключ":10,"\u0000nul":11"""
                + ""","line\n":12,"port_2":13}"""
        );

        Assert.Equal(
            "3|4|5|6|8|9|10",
            Query(table.Path, """select "a""b", "it's", "Port", "port_2", "back\slash", "$.x[0]", "ключ" from "table" """)
        );
        Assert.Equal("1", Query(table.Path, "select count(*) from \"table\""));
        table.Apply("""{"id":2,"updated_at":3}""");
        Assert.Equal("2", Query(table.Path, "select count(*) from \"table\""));
    }

    [Fact]
    public void A_name_that_is_escaped_in_one_record_and_not_in_another_is_one_column()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":2,"é":3}""", """{"id":2,"updated_at":2,"\u00e9":4}""");

        Assert.Equal("3,4", Query(table.Path, "select group_concat(\"é\") from \"table\""));
    }

    [Fact]
    public void A_feed_that_invents_names_makes_no_more_columns_than_there_may_be()
    {
        using var table = new TestTable();
        for (var i = 0; i < 700; i++)
            table.Apply($$"""{"id":{{i}},"updated_at":{{i}},"f{{i}}":1,"{{new string('n', 2000)}}{{i}}":2}""");

        Assert.Equal(700, table.Live.Count);
        Assert.Equal(500, table.Writer.State.Fields.Count);
        Assert.Equal("700", Query(table.Path, "select count(*) from \"table\""));
    }

    [Fact]
    public void The_sqlite3_program_reads_the_view_while_a_writer_is_at_work()
    {
        using var table = new TestTable();
        table.Apply("""{"id":1,"updated_at":1,"ip":"10.0.0.1"}""");
        var start = new ProcessStartInfo("sqlite3", ["-readonly", table.Path, "select ip from \"table\" where id = 1"])
        {
            RedirectStandardOutput = true,
        };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("The sqlite3 program is not installed.");
            return;
        }

        using (process)
        {
            Assert.Equal("10.0.0.1", process.StandardOutput.ReadToEnd().Trim());
            process.WaitForExit();
        }
    }

    private static string Query(string path, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={path};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var row = command.ExecuteReader();
        Assert.True(row.Read());
        return string.Join("|", Enumerable.Range(0, row.FieldCount).Select(i => row.IsDBNull(i) ? "" : row.GetValue(i).ToString()));
    }
}
