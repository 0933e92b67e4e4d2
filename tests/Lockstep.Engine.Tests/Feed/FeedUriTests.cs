using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>How a request's URI is built.</summary>
public sealed class FeedUriTests
{
    [Theory]
    [InlineData("http://h/servers/", CursorStyle.Auto, "998", "http://h/servers/998")]
    [InlineData("http://h/servers", CursorStyle.Auto, "998", "http://h/servers?since=998")]
    [InlineData("http://h/servers?a=1", CursorStyle.Auto, "998", "http://h/servers?a=1&since=998")]
    [InlineData("http://h/servers/?a=b%20c", CursorStyle.Auto, "998", "http://h/servers/998?a=b%20c")]
    [InlineData("http://h/servers", CursorStyle.Path, "998", "http://h/servers/998")]
    [InlineData("http://h/servers/", CursorStyle.Query, "998", "http://h/servers/?since=998")]
    [InlineData("http://h", CursorStyle.Auto, "0", "http://h/0")]
    [InlineData("http://h/s/", CursorStyle.Auto, "5:5000", "http://h/s/5:5000")]
    [InlineData("http://h/s", CursorStyle.Auto, "5:5000", "http://h/s?since=5:5000")]
    [InlineData("http://h/s/", CursorStyle.Auto, "a/b?c#d e%", "http://h/s/a%2Fb%3Fc%23d%20e%25")]
    [InlineData("http://h/s", CursorStyle.Auto, "a&b=c+d", "http://h/s?since=a%26b%3Dc%2Bd")]
    [InlineData("http://h/s/", CursorStyle.Auto, "", "http://h/s/0")]
    public void The_cursor_goes_where_the_style_says(string feed, CursorStyle style, string cursor, string expected)
    {
        Assert.Equal(expected, FeedUri.Parse(new Uri(feed)).Request(style, Cursor.Parse(cursor), null, update: false).AbsoluteUri);
    }

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    public void A_cursor_that_would_ask_for_another_path_is_refused(string cursor)
    {
        var feed = FeedUri.Parse(new Uri("http://h/feeds/s/"));

        Assert.Throws<FeedCursorException>(() => feed.Request(CursorStyle.Path, Cursor.Parse(cursor), null, update: false));
        Assert.Equal("?since=" + cursor, feed.Request(CursorStyle.Query, Cursor.Parse(cursor), null, update: false).Query);
    }

    [Theory]
    [InlineData("http://0.0.0.0:4567/servers/", "http://127.0.0.1:4567/servers/")]
    [InlineData("https://me:pw@0.0.0.0/s?a=1", "https://127.0.0.1/s?a=1")]
    [InlineData("http://[::]:4567/servers/", "http://[::1]:4567/servers/")]
    [InlineData("http://[0:0:0:0:0:0:0:0]/", "http://[::1]/")]
    [InlineData("http://[::ffff:0.0.0.0]:1/", "http://127.0.0.1:1/")]
    [InlineData("http://0.0.0.1/", "http://0.0.0.1/")]
    public void The_wildcard_address_in_the_users_own_URI_means_loopback(string given, string expected) =>
        Assert.Equal(expected, FeedUri.Parse(new Uri(given)).Location.AbsoluteUri);

    [Theory]
    [InlineData("http://feeds.example:4568/servers/0", "http://0.0.0.0:4567", "http://feeds.example:4567/")]
    [InlineData("http://feeds.example/servers/0", "http://[::]:4567/x?y=1", "http://feeds.example:4567/x?y=1")]
    [InlineData("http://[2001:db8::1]/servers/0", "http://0.0.0.0:4567/", "http://[2001:db8::1]:4567/")]
    [InlineData("http://feeds.example/servers/0", "//0.0.0.0/x", "http://feeds.example/x")]
    [InlineData("http://feeds.example/servers/0", "http://127.0.0.1:4567/", "http://127.0.0.1:4567/")]
    public void The_wildcard_address_in_an_answer_means_the_host_that_answered(string asked, string given, string expected)
    {
        using FeedHttp http = new(new FeedOptions { Uri = new Uri(asked) });
        using HttpResponseMessage redirect = new(System.Net.HttpStatusCode.TemporaryRedirect);
        redirect.Headers.Location = new Uri(given, UriKind.RelativeOrAbsolute);
        using HttpResponseMessage page = new();
        page.Headers.Add("Link", $"<{given}>; rel=\"next\"");

        Assert.Equal(expected, http.RedirectOf(redirect, new Uri(asked))!.AbsoluteUri);
        Assert.Equal(expected, PagedBody.NextOf(page, new Uri(asked))!.AbsoluteUri);
    }

    [Fact]
    public void Further_options_follow()
    {
        var uri = FeedUri
            .Parse(new Uri("http://h/servers?a=1"))
            .Request(CursorStyle.Auto, Cursor.Parse("998"), [new("key", "va lue"), new("x&y", "")], update: true);

        Assert.Equal("http://h/servers?a=1&since=998&update=true&key=va%20lue&x%26y=", uri.AbsoluteUri);
    }

    [Fact]
    public void User_and_password_are_taken_out_and_decoded()
    {
        var feed = FeedUri.Parse(new Uri("https://us%40er:p%3Aw%2Fd@host:8443/servers/"));

        Assert.Equal("https://host:8443/servers/", feed.Display);
        Assert.Equal(("us@er", "p:w/d"), (feed.Credential!.UserName, feed.Credential.Password));
        Assert.Equal("https://host:8443/servers/5", feed.Request(CursorStyle.Auto, Cursor.Parse("5"), null, false).AbsoluteUri);
    }

    [Theory]
    [InlineData("http://h/servers/", "servers")]
    [InlineData("http://h/a/b/servers?x=1", "servers")]
    [InlineData("http://h/servers/2024/", "servers")]
    [InlineData("http://h/", "lockstep")]
    [InlineData("http://h/lockstep_x/", "lockstep")]
    [InlineData("http://h/my%20servers/", "my servers")]
    [InlineData("http://h/a%2Fb/", "lockstep")]
    public void The_tables_name_is_the_last_element_that_is_one(string uri, string expected)
    {
        Assert.Equal(expected, FeedUri.Parse(new Uri(uri)).DefaultTableName);
    }

    [Theory]
    [InlineData("ftp://h/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("/relative")]
    public void Only_http_and_https_are_feeds(string uri)
    {
        Assert.Throws<ArgumentException>(() => FeedUri.Parse(new Uri(uri, UriKind.RelativeOrAbsolute)));
    }
}
