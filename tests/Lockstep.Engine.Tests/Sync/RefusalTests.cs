using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>What a feed's owner can do when it refuses the credentials, in Lockstep's own dialects and in others.</summary>
public sealed class RefusalTests : SyncTest
{
    private const string Challenge = """Bearer realm="x", error="insufficient_claims", claims="eyJhIjoxfQ==" """;

    [Theory]
    [InlineData(false, "401 Unauthorized")]
    [InlineData(true, "401 Unauthorized")]
    [InlineData(true, "403 Forbidden")]
    public async Task The_owner_sees_the_challenge_and_goes_on_at_another_address_with_other_headers(bool isForeign, string refusal)
    {
        await using var elsewhere = new RawServer(exchange => AnswerAsync(exchange, isForeign));
        await using var server = new RawServer(exchange =>
            exchange.SendAsync(
                $"HTTP/1.1 {refusal}\r\nConnection: close\r\nContent-Length: 0\r\nWWW-Authenticate: {Challenge}\r\nSet-Cookie: s=1\r\n\r\n"
            )
        );
        var questions = new List<CredentialsNeeded>();

        var result = await RunAsync(
            server,
            isForeign,
            question =>
            {
                questions.Add(question);
                question.NewUri = elsewhere.FeedUri;
                question.NewToken = "t2";
                question.NewHeaders = [new("X-Claims", "yes"), new("X-Old", "new")];
            }
        );

        var question = Assert.Single(questions);
        Assert.Equal(Challenge.Trim(), question.Headers["www-authenticate"]);
        Assert.DoesNotContain("Set-Cookie", question.Headers.Keys);
        Assert.Equal((1L, 1), (result.Added, server.Requests.Count));
        var head = Assert.Single(elsewhere.Requests);
        Assert.Contains("Authorization: Bearer t2", head, StringComparison.Ordinal);
        Assert.Contains("X-Claims: yes", head, StringComparison.Ordinal);
        Assert.Contains("X-Old: new", head, StringComparison.Ordinal);
        Assert.DoesNotContain("X-Old: old", head, StringComparison.Ordinal);
        Assert.Equal(server.FeedUri.AbsoluteUri, Info.Feed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_feed_that_refuses_whatever_it_is_given_is_not_asked_for_ever(bool isForeign)
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("401 Unauthorized"));
        var asked = 0;

        var error = await Assert.ThrowsAsync<FeedStatusException>(() =>
            RunAsync(server, isForeign, question => question.NewToken = $"secret-{++asked}")
        );

        Assert.Equal((3, 4), (asked, server.Requests.Count));
        Assert.DoesNotContain("secret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_is_asked_for_credentials_where_the_feed_is_not_there()
    {
        await using var server = new RawServer(exchange => exchange.StatusAsync("404 Not Found"));
        var asked = 0;

        await Assert.ThrowsAsync<FeedStatusException>(() => RunAsync(server, isForeign: false, _ => asked++));

        Assert.Equal((0, 1), (asked, server.Requests.Count));
    }

    private static Task AnswerAsync(RawExchange exchange, bool isForeign) =>
        isForeign
            ? exchange.SendAsync(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n[{\"id\":1}]"
            )
            : exchange.BodyAsync(Record(1, 1));

    private async Task<SyncResult> RunAsync(RawServer server, bool isForeign, Action<CredentialsNeeded> answer)
    {
        var sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri, Headers = [new("X-Old", "old")] },
                Store = new FileTableStore(TablePath),
                Foreign = isForeign ? DialectDescription.Load("Rest") : null,
            }
        );
        await foreach (var step in sync.RunAsync(Cancellation))
        {
            if (step is CredentialsNeeded question)
                answer(question);
        }

        return sync.Result;
    }
}
