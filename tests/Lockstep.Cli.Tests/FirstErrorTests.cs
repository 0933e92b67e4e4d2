using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Cli.Tests;

/// <summary>What a user is told if the feed is not what Lockstep reads by default, and that no feed controls the terminal.</summary>
public sealed class FirstErrorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""[{"id":1,"updated_at":1}]""", "the body is one JSON array")]
    [InlineData("""{"@odata.context":"x","value":[{"id":1}]}""", "a page of OData")]
    [InlineData("""{"items":[{"id":1,"updated_at":1}]}""", "holds a list in 'items'")]
    [InlineData("""{"total":2,"things":[{"id":1}]}""", "--dialect FILE.json, where the file is {\"From\":\"Rest\",\"Items\":\"things\"}")]
    [InlineData("<!DOCTYPE html><html></html>", "the body is an HTML page, perhaps one to sign in at")]
    [InlineData("<!DOCTYPE html><html></html>", "Check the URI and the credentials")]
    [InlineData("""{"a":{"name":"x"},"b":{"name":"y"}}""", "Name the key with --key-property, and the field that grows")]
    [InlineData("data: {\"id\":1,\"updated_at\":1}\n\n", "server-sent events")]
    [InlineData("id: 1\ndata: {\"id\":1,\"updated_at\":1}\n\n", "server-sent events")]
    [InlineData("""{"id":1,"name":"a","updatedAt":1}""", "its fields are updatedAt, id, name")]
    [InlineData("""{"id":1,"name":"a","updatedAt":1}""", "with --order-by updatedAt")]
    [InlineData("""{"id":1,"last_modified":1}""", "with --order-by last_modified")]
    public async Task A_body_that_holds_no_records_is_called_what_it_is(string body, string says)
    {
        // Nothing is guessed if the user says which dialect it is.
        var run = await SyncAsync("200 OK", body, "t.db", "--dialect", "record");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Quarantine", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X Api Key: v", "'X Api Key' cannot be a header's name")]
    [InlineData("Content-Type: text/plain", "The header 'Content-Type' cannot be given")]
    [InlineData("X-Key: s3cr3t\r\nX-Other: y", "The value of the header 'X-Key' has a line break")]
    public async Task A_header_that_cannot_be_sent_is_refused(string header, string says)
    {
        var run = await CliProcess.RunAsync(_folder.Path, "sync", "http://127.0.0.1:1/x/", "--header", header);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("429 Too Many Requests", "Send requests less often")]
    [InlineData("408 Request Timeout", "waited too long for the request")]
    public async Task A_status_that_passes_has_advice_of_its_own(string status, string says)
    {
        var run = await SyncAsync(status, "");

        Assert.Equal(3, run.ExitCode);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_waits_for_another_attempt_without_being_told_so_and_why()
    {
        var run = await CliProcess.RunAsync(
            _folder.Path,
            ["sync", "http://127.0.0.1:1/x/", "--path", "t.db", "--maximum-retry-count", "1", "--retry-interval-sec", "0.01"]
        );

        var told = run.Error.Split('\n');
        Assert.Equal(3, run.ExitCode);
        Assert.StartsWith("lockstep: SocketError: The feed http://127.0.0.1:1/x/ cannot be reached", told[0], StringComparison.Ordinal);
        Assert.StartsWith("lockstep: Retry: The next attempt is in", told[1], StringComparison.Ordinal);
        // The error that ends the sync is told once.
        Assert.DoesNotContain(told.Skip(2), line => line.Contains("SocketError", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_steers_a_terminal_is_shown_as_its_number_and_kept_in_JSON()
    {
        const string Body = """{"id":1,"updated_at":1,"e":"\u001b[31m\u009b\u202eab\u0007"}""";

        var reason = await SyncAsync("503 bad\u001b[31m", "", "reason.db");
        var snippet = await SyncAsync("200 OK", "\u001b]0;title\u0007", "snippet.db");
        var instance = await SyncAsync("200 OK\r\nInstance-Name: a\u001b[31m", Body);
        var table = await CliProcess.RunAsync(_folder.Path, "records", "--path", "t.db");
        var json = await CliProcess.RunAsync(_folder.Path, "records", "--path", "t.db", "--json");

        Assert.All(
            [reason.Error, snippet.Error, instance.Error + instance.Output, table.Output],
            shown => Assert.DoesNotContain(shown, c => c != '\n' && (char.IsControl(c) || c == '\u202e'))
        );
        Assert.Contains("\\u001b[31m\\u009b\\u202eab\\u0007", table.Output, StringComparison.Ordinal);
        Assert.Contains(Body, json.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_store_of_variables_is_called_what_it_is()
    {
        await SyncAsync("200 OK", """{"id":1,"updated_at":1}""");
        await File.WriteAllTextAsync(_folder["plain.txt"], "plain", TestContext.Current.CancellationToken);
        var before = await File.ReadAllBytesAsync(_folder["t.db"], TestContext.Current.CancellationToken);

        var set = await CliProcess.RunAsync(_folder.Path, "var", "set", "x", "1", "--store", "t.db");
        var get = await CliProcess.RunAsync(_folder.Path, "var", "get", "x", "--store", "t.db");
        var plain = await CliProcess.RunAsync(_folder.Path, "var", "get", "x", "--store", "plain.txt");

        Assert.Contains("t.db' is a table of records", set.Error, StringComparison.Ordinal);
        Assert.Contains("t.db' is a table of records", get.Error, StringComparison.Ordinal);
        Assert.Contains("file is not a database", plain.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("SQLite Error", plain.Error, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(_folder["t.db"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_model_in_a_folder_that_is_not_there_says_so()
    {
        var set = await CliProcess.RunAsync(_folder.Path, "gossip", "set", "a", "1", "--path", Path.Combine("no", "m.db"));

        Assert.Contains($"The folder '{_folder["no"]}' does not exist.", set.Error, StringComparison.Ordinal);
        Assert.Contains("Create the folder", set.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Table_files_are_listed_by_a_pattern_as_by_the_cmdlet()
    {
        await SyncAsync("200 OK", """{"id":1,"updated_at":1}""", "servers.db");
        await SyncAsync("200 OK", """{"id":1,"updated_at":1}""", "hosts.db");

        foreach (var pattern in (string[])["serv*", "serv*.db", "?ervers", Path.Combine(_folder.Path, "*ver*")])
        {
            var tables = await CliProcess.RunAsync(_folder.Path, "tables", pattern, "--json");
            Assert.Equal(0, tables.ExitCode);
            Assert.EndsWith("servers.db", JsonDocument.Parse(Assert.Single(tables.Lines)).RootElement.GetProperty("path").GetString());
        }

        var none = await CliProcess.RunAsync(_folder.Path, "tables", "q*");
        Assert.Equal(4, none.ExitCode);
        Assert.Contains("No table file matches 'q*'.", none.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("200 OK", "{bad}", "it is not valid JSON: 'b' is an invalid start of a property name", "LineNumber")]
    [InlineData("206 Partial Content", """{"id":1,"updated_at":1}""", "a part of itself (206 Partial Content), which was not", "address")]
    public async Task Errors_say_what_the_answer_is_and_nothing_of_the_code(string status, string body, string says, string hides)
    {
        var run = await SyncAsync(status, body, "t.db", "--dialect", "record");

        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(hides, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_of_models_cursors_and_holders_of_locks_steer_no_terminal_either()
    {
        const string Steering = "\u001b]0;t\u0007\u009b\u202e";
        await SyncAsync("200 OK", $$"""{"id":1,"updated_at":"{{Steering.Replace("\u001b", "\\u001b").Replace("\u0007", "\\u0007")}}"}""");
        var set = await CliProcess.RunAsync(_folder.Path, "gossip", "set", "k" + Steering, "v" + Steering, "--path", "m.db");
        var get = await CliProcess.RunAsync(_folder.Path, "gossip", "get", "--path", "m.db");
        var json = await CliProcess.RunAsync(_folder.Path, "gossip", "get", "--path", "m.db", "--json");
        var tables = await CliProcess.RunAsync(_folder.Path, "tables");
        var busy = await WhileHeldAsync("process 1 " + Steering, () => CliProcess.RunAsync(_folder.Path, "clear", "--path", "t.db"));

        Assert.Equal((0, 0, 0), (set.ExitCode, get.ExitCode, tables.ExitCode));
        Assert.All(
            [get.Output, tables.Output, busy?.Error ?? ""],
            shown => Assert.DoesNotContain(shown, c => c != '\n' && (char.IsControl(c) || c == '\u202e'))
        );
        Assert.Contains("k\\u001b]0;t", get.Output, StringComparison.Ordinal);
        Assert.Equal("k" + Steering, JsonDocument.Parse(json.Lines[0]).RootElement.GetProperty("key").GetString());
        if (busy is not null)
            Assert.Contains("process 1 \\u001b]0;t", busy.Error, StringComparison.Ordinal);
    }

    /// <summary>Runs something while another process holds the table's lock under this name; null where that cannot be done.</summary>
    private async Task<CliProcess?> WhileHeldAsync(string name, Func<Task<CliProcess>> run)
    {
        // flock(1) takes the lock that the runtime itself uses on Linux.
        if (!File.Exists("/usr/bin/flock"))
            return null;
        await File.WriteAllTextAsync(_folder["t.db-lock"], name, TestContext.Current.CancellationToken);
        using var holder = Process.Start(
            new ProcessStartInfo("/usr/bin/flock", ["-x", _folder["t.db-lock"], "sh", "-c", "echo held; exec sleep 600"])
            {
                RedirectStandardOutput = true,
            }
        )!;
        try
        {
            Assert.Equal("held", await holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            return await run();
        }
        finally
        {
            holder.Kill(entireProcessTree: true);
            await holder.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Syncs with a server that gives one answer.</summary>
    private async Task<CliProcess> SyncAsync(string status, string body, string path = "t.db", params string[] more)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var answering = AnswerAsync(listener, status, body);
        var run = await CliProcess.RunAsync(
            _folder.Path,
            ["sync", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/x/", "--path", path, .. more]
        );
        await answering.WaitAsync(Eventually.Deadline, TestContext.Current.CancellationToken);
        return run;
    }

    private static async Task AnswerAsync(TcpListener listener, string status, string body)
    {
        using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        var stream = client.GetStream();
        using var request = new StreamReader(stream, leaveOpen: true);
        while (await request.ReadLineAsync(TestContext.Current.CancellationToken) is { Length: > 0 }) { }

        var bytes = Encoding.UTF8.GetBytes(body);
        await stream.WriteAsync(
            (byte[])[.. Encoding.UTF8.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {bytes.Length}\r\n\r\n"), .. bytes],
            TestContext.Current.CancellationToken
        );
    }
}
