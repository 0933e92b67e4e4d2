using System.Net;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>Passwords and tokens never reach an error, a log, a file or an object's text (I9).</summary>
[Trait("Invariant", "I9")]
public sealed class SecretTests : SyncTest
{
    private const string Secret = "Pa55word-that-nobody-may-see";

    [Fact]
    public async Task A_password_planted_wherever_it_can_enter_comes_out_nowhere()
    {
        await using var server = new RawServer(async exchange =>
        {
            switch (exchange.Number % 8)
            {
                case 1:
                    await exchange.BodyAsync(Record(exchange.Number, 1));
                    break;
                case 2:
                    await exchange.StatusAsync("401 Unauthorized");
                    break;
                case 3:
                    await exchange.StatusAsync("500 Oops");
                    break;
                case 4:
                    exchange.Reset();
                    break;
                case 5:
                    await exchange.RedirectAsync($"http://user:{Secret}@127.0.0.1:1/");
                    break;
                case 6:
                    await exchange.BodyAsync("nonsense\n");
                    break;
                case 7:
                    await exchange.RedirectAsync($"ftp://user:{Secret}@127.0.0.1/");
                    break;
                default:
                    await exchange.BodyAsync("{\"id\":1");
                    break;
            }
        });
        var uri = new UriBuilder(server.FeedUri) { UserName = "me", Password = Secret }.Uri;
        FeedOptions[] ways =
        [
            new() { Uri = uri },
            new() { Uri = server.FeedUri, Credential = new NetworkCredential("me", Secret) },
            new() { Uri = server.FeedUri, BearerToken = Secret },
            new() { Uri = server.FeedUri, Headers = [new("Authorization", Secret), new("X-Key", Secret), new("X-Umlaut", Secret + "ü")] },
            new() { Uri = server.FeedUri, Query = [new("token", Secret)] },
            new() { Uri = new Uri(server.FeedUri, $"?access_token={Secret}&sig={Secret}") },
        ];

        var said = new StringBuilder();
        foreach (var feed in ways)
        {
            for (var i = 0; i < 8; i++)
                await RunAsync(feed, said);
            said.Append(feed);
        }

        foreach (var (name, value) in (KeyValuePair<string, string>[])[new("Bad Name", Secret), new("X-Bad", Secret + "\r\nInjected: 1")])
        {
            var error = Assert.Throws<InvalidOptionException>(() =>
                NewSync(new FeedOptions { Uri = server.FeedUri, Headers = [new(name, value)] })
            );
            said.Append(error).Append(error.RecommendedAction);
        }

        said.Append(Info).Append(FeedUri.Parse(uri));
        foreach (var file in Directory.EnumerateFiles(Path.GetDirectoryName(TablePath)!))
            said.Append(Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, Cancellation)));
        Assert.DoesNotContain(Secret, said.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(Encoding.UTF8.GetBytes("me:" + Secret)), said.ToString(), StringComparison.Ordinal);
        Assert.Contains("nonsense", said.ToString(), StringComparison.Ordinal);
    }

    private async Task RunAsync(FeedOptions feed, StringBuilder said)
    {
        var sync = NewSync(feed);
        try
        {
            await foreach (var step in sync.RunAsync(Cancellation))
                said.Append(step);
        }
        catch (LockstepException e)
        {
            said.Append(e).Append(e.RecommendedAction).Append(e.Data.Count);
        }

        said.Append(sync.Result);
        if (RunningSyncs.Find(TablePath) is { } running)
            said.Append(running);
    }

    private TableSync NewSync(FeedOptions feed) =>
        new(
            new SyncOptions
            {
                Feed = feed,
                Store = new FileTableStore(TablePath),
                WantsChanges = true,
                Settle = TimeSpan.FromMilliseconds(200),
            }
        );

    [Fact]
    public async Task A_secret_in_the_feeds_query_is_sent_but_neither_stored_nor_shown_and_may_change()
    {
        await using var server = RawServer.WithBodies(Record(1, 1), Record(2, 2), Record(3, 3));
        Uri With(string query) => new(server.FeedUri, query);

        var first = await SyncRun.ToEndAsync(Options(server, uri: With($"?region=a&token={Secret}")));
        await SyncRun.ToEndAsync(Options(server, uri: With("?region=a&token=another")));

        Assert.Equal(With("?region=a").AbsoluteUri, first.Result.Feed);
        Assert.Equal(With("?region=a").AbsoluteUri, Info.Feed);
        Assert.Equal([$"0?region=a&token={Secret}", "1?region=a&token=another"], server.Cursors);
        // The table's own note of its feed, with the secret given separately, is the same feed.
        var third = await SyncRun.ToEndAsync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = new Uri(Info.Feed!), Query = [new("token", "third")] },
                Store = new FileTableStore(TablePath),
            }
        );
        Assert.Equal(1, third.Result.Added);
        await SyncRun.ToErrorAsync<TableMismatchException>(Options(server, uri: With("?region=b&token=x")));
    }
}
