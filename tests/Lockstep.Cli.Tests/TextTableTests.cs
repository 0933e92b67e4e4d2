using System.Text;
using Lockstep.Cli.Output;

namespace Lockstep.Cli.Tests;

/// <summary>A table of records takes memory for what it shows, and not for what the records have.</summary>
public sealed class TextTableTests
{
    [Theory]
    [InlineData("x", "x")]
    [InlineData("é", "é")]
    [InlineData("\\u00e9", "é")]
    [InlineData("\\n", " ")]
    [InlineData("\\\\", "\\")]
    [InlineData("語", "語")]
    public void A_value_of_megabytes_is_shown_as_its_beginning_and_costs_no_memory(string text, string shown)
    {
        var value = string.Concat(Enumerable.Repeat(text, 200_000));
        var json = Encoding.UTF8.GetBytes($"{{\"a\":\"{value}\",\"b\":[\"{value}\"],\"{value}\":1}}");
        var output = new StringWriter();
        var table = new TextTable(output);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 100; i++)
            table.Add(json);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 5_000_000);
        table.Finish();

        var line = output.ToString().Split(Environment.NewLine)[2];
        Assert.StartsWith(string.Concat(Enumerable.Repeat(shown, 37)) + "...", line, StringComparison.Ordinal);
        Assert.False(table.IsCut);
    }

    [Fact]
    public void Columns_that_nobody_could_read_are_left_out_and_that_is_known()
    {
        var output = new StringWriter();
        var table = new TextTable(output);
        var fields = string.Join(',', Enumerable.Range(0, 200_000).Select(i => $"\"f{i}\":{i}"));

        table.Add(Encoding.UTF8.GetBytes($"{{{fields}}}"));
        table.Add("{\"other\":1}"u8);
        table.Finish();

        Assert.True(table.IsCut);
        Assert.Contains(" 999", output.ToString(), StringComparison.Ordinal);
        Assert.InRange(output.ToString().Length, 1, 50_000);
    }
}
