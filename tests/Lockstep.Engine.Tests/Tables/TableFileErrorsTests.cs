using Lockstep.Engine.Tables;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>What is said of a table file that the system does not let be read or written.</summary>
public sealed class TableFileErrorsTests
{
    private const string Path = "servers.db";

    [Theory]
    [InlineData(13, 13)]
    [InlineData(10, 4874)]
    public void A_full_disk_is_called_full_whatever_SQLite_could_not_write(int code, int extended)
    {
        IsFull(TableFileErrors.Explain(Path, new SqliteException("disk I/O error", code, extended)));
    }

    [Theory]
    [InlineData(28)]
    [InlineData(122)]
    [InlineData(unchecked((int)0x80070070))]
    [InlineData(unchecked((int)0x80070027))]
    public void A_full_disk_is_called_full_by_the_systems_codes_too(int code)
    {
        IsFull(TableFileErrors.Unwritable(Path, new IOException("No space left on device", code)));
    }

    [Fact]
    public void A_disk_that_fails_is_suspected_before_the_file()
    {
        var error = TableFileErrors.Explain(Path, new SqliteException("disk I/O error", 10, 266));

        Assert.StartsWith("Check that its disk", error!.Remedy!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_may_not_be_written_is_not_called_full()
    {
        var error = TableFileErrors.Unwritable(Path, new UnauthorizedAccessException("Access denied."));

        Assert.Contains("Access denied.", error.Message, StringComparison.Ordinal);
    }

    private static void IsFull(TableFileException? error)
    {
        Assert.Contains("no room left", error!.Message, StringComparison.Ordinal);
        Assert.Contains("Free some space", error.Remedy!.ToString(), StringComparison.Ordinal);
    }
}
