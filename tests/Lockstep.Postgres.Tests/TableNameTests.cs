namespace Lockstep.Postgres.Tests;

public class TableNameTests
{
    [Theory]
    [InlineData("domains", "\"domains\"")]
    [InlineData("sales.Domains", "\"sales\".\"Domains\"")]
    [InlineData("\"a.b\".\"c\"\"d\"", "\"a.b\".\"c\"\"d\"")]
    [InlineData("x; drop table y", "\"x; drop table y\"")]
    public void A_name_is_taken_as_written_and_quoted(string text, string sql) => Assert.Equal(sql, TableName.Parse(text).ToSql());

    [Theory]
    [InlineData("")]
    [InlineData("a.")]
    [InlineData(".a")]
    [InlineData("a.b.c")]
    [InlineData("\"a")]
    [InlineData("a\"b")]
    [InlineData("\"\"")]
    public void What_is_no_name_is_refused(string text) => Assert.Throws<FormatException>(() => TableName.Parse(text));

    [Fact]
    public void A_literal_means_itself() => Assert.Equal("'it''s'| E'a\\\\''b'", Sql.Literal("it's") + "|" + Sql.Literal("a\\'b"));
}
