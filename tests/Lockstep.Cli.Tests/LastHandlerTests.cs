using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;
using Microsoft.Data.Sqlite;

namespace Lockstep.Cli.Tests;

/// <summary>However the program fails, it ends with an exit code and a line of its own, never with an unhandled exception.</summary>
public sealed class LastHandlerTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_word_too_many_for_records_is_answered_with_the_option_that_names_a_table()
    {
        var run = await CliProcess.RunAsync(_folder.Path, "records", "nosuch");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("lockstep records -t nosuch", run.Error, StringComparison.Ordinal);
        Assert.Contains("See 'lockstep records --help'.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_that_an_error_names_is_that_of_the_command_within_a_command()
    {
        var run = await CliProcess.RunAsync(_folder.Path, "gossip", "send");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("See 'lockstep gossip send --help'.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_that_begins_with_an_at_sign_is_no_file_of_arguments()
    {
        await File.WriteAllTextAsync(_folder["x"], "--help", TestContext.Current.CancellationToken);

        var run = await CliProcess.RunAsync(_folder.Path, "records", "-t", "@x");

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("@x.db", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("UPDATE lockstep_quarantine SET at = '31.31.99'", "--quarantined")]
    [InlineData("UPDATE lockstep_row SET body = '{'")]
    [InlineData("UPDATE lockstep_row SET body = '{'", "--json")]
    [InlineData("UPDATE lockstep_row SET body = '[1]'", "--json")]
    [InlineData("UPDATE lockstep_row SET body = '{} {}'", "--json")]
    [InlineData("UPDATE lockstep_row SET body = CAST(x'7b2261223a229b22'||'7d' AS TEXT)", "--json")]
    [InlineData("UPDATE lockstep_row SET body = zeroblob(100000)", "--json")]
    [InlineData("UPDATE lockstep_table SET last_sync = 'never'")]
    [InlineData("UPDATE lockstep_table SET fields = '{'")]
    public async Task A_damaged_table_file_is_named_in_a_line(string damage, params string[] arguments)
    {
        await SyncAsync();
        await using (var connection = new SqliteConnection($"Data Source={_folder["t.db"]};Pooling=False"))
        {
            connection.Open();
            await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The statements are those above.
            command.CommandText = damage;
#pragma warning restore CA2100
            command.ExecuteNonQuery();
        }

        var run = await CliProcess.RunAsync(_folder.Path, ["records", "--path", "t.db", .. arguments]);

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("t.db' cannot be used", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Debug_prints_all_that_is_known_of_an_error()
    {
        var run = await CliProcess.RunAsync(_folder.Path, "records", "-t", "nosuch", "--debug");

        Assert.Equal(4, run.ExitCode);
        Assert.Contains("   at Lockstep.", run.Error, StringComparison.Ordinal);
    }

    private async Task SyncAsync()
    {
        await using var server = await LockstepTestServer.StartAsync(
            new TestServerOptions
            {
                Port = 0,
                Feed = FeedKind.Scripted,
                Records = ["""{"id":1,"updated_at":1}""", """{"updated_at":2}"""],
            },
            cancellationToken: TestContext.Current.CancellationToken
        );
        var run = await CliProcess.RunAsync(
            _folder.Path,
            "sync",
            server.FeedUri.AbsoluteUri,
            "--path",
            "t.db",
            "--malformed-record",
            "Quarantine",
            "--settle-sec",
            "0.2",
            "--quiet"
        );
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
    }
}
