using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>The error for a filter that is not SQL over the fields suggests what was meant.</summary>
public sealed class FilterMistakeTests
{
    [Theory]
    [InlineData("id -gt 1", "syntax error", "A filter is SQL: id > 1")]
    [InlineData("(id -EQ 1) -and (name -like 'a%')", "syntax error", "A filter is SQL: (id = 1) and (name like 'a%')")]
    [InlineData(" $_.name -eq 'n1' ", "near \".\"", "A filter is SQL: name = 'n1'")]
    [InlineData("$_.id -gt 1 -and $PSItem.name = 'a'", "near \".\"", "A filter is SQL: id > 1 and name = 'a'")]
    [InlineData("$_.id = 1", "near \".\"", "A filter is SQL: id = 1")]
    [InlineData("metadata.name = 'p1'", "no such column: metadata.name", "metadata ->> 'name'")]
    public void What_was_meant_is_said(string filter, string error, string says) =>
        Assert.EndsWith(says, FilterMistake.Find(filter, error, ["id", "metadata"]), StringComparison.Ordinal);

    [Theory]
    [InlineData("id >", "incomplete input")]
    [InlineData("other.name = 1", "no such column: other.name")]
    [InlineData("id-like 1", "no such column: like")]
    public void What_is_not_known_is_not_guessed(string filter, string error) =>
        Assert.Null(FilterMistake.Find(filter, error, ["id", "metadata"]));
}
