using System.Globalization;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>Lockstep's error quotes the server's: briefly, as plain text, and without secrets.</summary>
public sealed class ErrorExcerptTests : SyncTest
{
    [Theory]
    [InlineData("""{"error":{"code":"BadRequest","message":"boom"}}""", "boom")]
    [InlineData("""{"error":{"code":"1","message":{"lang":"en","value":"boom"}}}""", "boom")]
    [InlineData("""{"kind":"Status","apiVersion":"v1","status":"Failure","message":"boom","code":403}""", "boom")]
    [InlineData("""{"error":"invalid_client","error_description":"boom"}""", "boom")]
    [InlineData("""{"error":"boom"}""", "boom")]
    [InlineData("""{"type":"about:blank","title":"Bad","detail":"boom"}""", "Bad: boom")]
    [InlineData("""{"errors":[{"message":"boom"}]}""", "boom")]
    [InlineData("""[{"message":"boom"}]""", "boom")]
    [InlineData("boom\n", "boom")]
    [InlineData("boom!", "boom!")]
    public async Task What_the_server_says_is_in_the_message(string body, string said)
    {
        var end = said.EndsWith('!') ? "" : ".";
        foreach (var status in (string[])["400 Bad Request", "403 Forbidden", "404 Not Found", "429 Too Many Requests", "500 Oops"])
            Assert.EndsWith($" answered {status}: {said}{end}", await MessageAsync(status, body), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html><body>boom</body></html>")]
    [InlineData("line\nline")]
    [InlineData("""{"error":{"message":"bo""")]
    [InlineData("""{"message":"\ud800"}""")]
    [InlineData("""{"message":7}""")]
    public async Task What_says_nothing_in_one_line_is_left_out(string body) =>
        Assert.EndsWith(" answered 400 Bad Request.", await MessageAsync("400 Bad Request", body), StringComparison.Ordinal);

    [Fact]
    public async Task It_is_short_and_steers_no_terminal()
    {
        var message = await MessageAsync("400 Bad Request", $$"""{"message":"\u001b[2J\n{{new string('x', 100_000 / 2)}}"}""");

        Assert.Contains(": \\u001b[2J xxx", message, StringComparison.Ordinal);
        Assert.EndsWith("x…", message, StringComparison.Ordinal);
        Assert.Equal(201, message.Split("Bad Request: ")[1].Length);
    }

    [Fact]
    public async Task Secrets_that_the_server_repeats_are_hidden()
    {
        var message = await MessageAsync(
            "401 Unauthorized",
            """{"message":"no abc-1 (abc-2) at /x?sig=abc%203&page=1 nor token=abc-4; Bearer abcdefghijklmnop-5"}""",
            feed => new FeedOptions
            {
                Uri = feed,
                BearerToken = "abc-1",
                Headers = [new("X-Api-Key", "abc-2")],
            }
        );

        Assert.EndsWith(": no *** (***) at /x?sig=***&page=1 nor token=***; Bearer ***.", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("429 Too Many Requests", "wait 1200 s, as the feed asks")]
    [InlineData("403 Forbidden", "wait 1200 s, as the feed asks")]
    [InlineData("503 Busy", "Try again in 1200 s, as the feed asks")]
    public async Task The_wait_that_a_server_asks_for_is_in_the_advice(string status, string advice)
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync(status, "Retry-After: 1200\r\n"));

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Options(server));

        Assert.Contains(advice, error.Remedy.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public async Task A_body_without_an_end_holds_nothing_up(int pieces)
    {
        await using var server = new RawServer(async exchange =>
        {
            await exchange.SendAsync("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            for (var i = 0; i < pieces; i++)
                await exchange.SendAsync(new string('y', 1000));
            await Task.Delay(Timeout.Infinite, exchange.Stopping);
        });

        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(Options(server));

        Assert.EndsWith("yy…", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_whose_script_supplies_tokens_is_told_of_the_script()
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("401 Unauthorized"));
        foreach (var supplies in (bool[])[true, false])
        {
            var options = new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri },
                Store = Options(server).Store,
                AsksForToken = true,
            };
            var error = await Assert.ThrowsAsync<FeedStatusException>(async () =>
            {
                await foreach (var step in new TableSync(options).RunAsync(Cancellation))
                {
                    if (step is CredentialsNeeded needed && supplies)
                        needed.NewToken = "t";
                }
            });

            Assert.StartsWith(
                supplies ? "The token of AsksForToken was refused 4 times" : "AsksForToken returned nothing",
                error.Remedy.ToString(),
                StringComparison.Ordinal
            );
        }
    }

    private async Task<string> MessageAsync(string status, string body, Func<Uri, FeedOptions>? feed = null)
    {
        await using var server = new RawServer(exchange =>
            exchange.SendAsync(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}"
                )
            )
        );
        var options = Options(server);
        if (feed is not null)
            options = new SyncOptions { Feed = feed(server.FeedUri), Store = options.Store };
        (var error, _) = await SyncRun.ToErrorAsync<FeedStatusException>(options);
        return error.Message;
    }
}
