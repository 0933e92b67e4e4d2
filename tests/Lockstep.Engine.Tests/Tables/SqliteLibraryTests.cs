using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Some versions of SQLite lose commits when several processes use a file; Lockstep uses none of them.</summary>
public sealed class SqliteLibraryTests
{
    [Fact]
    public void The_version_that_is_loaded_is_one_that_may_be_used()
    {
        using var connection = ReadConnection.InMemory(CancellationToken.None);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT sqlite_version()";

        Assert.Equal(SqliteLibrary.Loaded.ToString(), command.ExecuteScalar());
        SqliteLibrary.Require();
    }

    [Theory]
    [InlineData("3.50.4")]
    [InlineData("3.51.2")]
    public void One_that_can_lose_commits_is_refused_and_named(string version)
    {
        var error = Assert.Throws<SqliteVersionException>(() => SqliteLibrary.Require(Version.Parse(version)));

        Assert.Equal(Version.Parse(version), error.Found);
        Assert.Contains(version, error.Message, StringComparison.Ordinal);
        Assert.Contains(SqliteLibrary.Oldest.ToString(), error.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("3.51.3")]
    [InlineData("3.53.4")]
    [InlineData("4.0.0")]
    public void Newer_ones_are_used(string version) => SqliteLibrary.Require(Version.Parse(version));
}
