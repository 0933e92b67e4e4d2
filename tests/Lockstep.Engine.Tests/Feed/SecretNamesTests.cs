using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Feed;

public sealed class SecretNamesTests
{
    [Theory]
    [InlineData("code")]
    [InlineData("key")]
    [InlineData("jwt")]
    [InlineData("sig")]
    [InlineData("apikey")]
    [InlineData("api-key")]
    [InlineData("X-Amz-Signature")]
    [InlineData("X-Amz-Security-Token")]
    [InlineData("X-Amz-Credential")]
    [InlineData("$deltatoken")]
    [InlineData("%24skiptoken")]
    [InlineData("subscription-key")]
    [InlineData("app_key")]
    [InlineData("appkey")]
    [InlineData("appKey")]
    [InlineData("X-App-Key")]
    [InlineData("user_key")]
    [InlineData("userkey")]
    [InlineData("license_key")]
    [InlineData("License-Key")]
    [InlineData("licensekey")]
    [InlineData("pat")]
    [InlineData("x-pat")]
    [InlineData("otp")]
    [InlineData("X-OTP")]
    public void What_goes_by_such_a_name_is_not_shown(string name) =>
        Assert.Equal(
            "https://feed.example/items?a=1&b=2",
            FeedUri.Parse(new Uri($"https://feed.example/items?a=1&{name}=s3cr3t&b=2")).Display
        );

    [Theory]
    [InlineData("since")]
    [InlineData("keys")]
    [InlineData("postcode")]
    [InlineData("$filter")]
    [InlineData("primary_key")]
    [InlineData("sort_key")]
    [InlineData("map_key")]
    [InlineData("startkey")]
    [InlineData("start_key")]
    [InlineData("end_key")]
    [InlineData("endkey")]
    [InlineData("sid")]
    [InlineData("path")]
    [InlineData("patch")]
    [InlineData("pattern")]
    [InlineData("options")]
    [InlineData("app")]
    [InlineData("user")]
    [InlineData("license")]
    [InlineData("snapp_key")]
    [InlineData("x-path")]
    public void Other_options_are_shown(string name) => Assert.False(SecretNames.Contain(name));

    [Theory]
    [InlineData("5:5000", "5:5000")]
    [InlineData("https://me:s3cr3t@graph.example/users/delta?$deltatoken=s3cr3t", "https://graph.example/users/delta?...")]
    [InlineData("://s3cr3t", "(an address)")]
    public void A_cursor_that_is_an_address_is_shown_without_its_secrets(string cursor, string shown) =>
        Assert.Equal(shown, Cursor.Parse(cursor).Display);

    [Fact]
    public void A_stored_link_is_shown_without_its_query_and_its_user() =>
        Assert.Equal(
            "https://graph.example/users/delta?…",
            CursorText.Show("https://me:s3cr3t@graph.example/users/delta?$deltatoken=s3cr3t")
        );

    [Theory]
    [InlineData("$deltatoken=SEKRET", "SEKRET")]
    [InlineData("sig=a%2Fb+c12", "a/b+c12 a%2Fb+c12")]
    [InlineData("cursor=short", "")]
    [InlineData("page=123456789&after=2026-01-31T12:00:00Z&skip=1.000.000", "1.000.000")]
    [InlineData("continue=abcdefg", "abcdefg")]
    [InlineData("x=eyJpZCI6MTIzfQ", "eyJpZCI6MTIzfQ")]
    [InlineData("x=includedocuments&$filter=price%20gt%20100%20eur", "")]
    [InlineData("after=theusers", "")]
    public void What_may_be_a_cursor_in_a_link_is_hidden_and_what_the_user_wrote_is_not(string query, string hidden) =>
        Assert.Equal(
            hidden.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            LinkSecrets.Of(new Uri("https://feed.example/items?" + query), ["theusers"]).Distinct()
        );

    [Fact]
    public void A_table_whose_address_was_stored_with_what_is_a_secret_today_is_still_of_its_feed()
    {
        var state = new TableState { Name = "t", Feed = "https://feed.example/items?a=1&app_key=s3cr3t" };

        Assert.False(TableBinding.IsOfAnotherFeed(state, FeedUri.Parse(new Uri("https://feed.example/items?a=1&app_key=other"))));
        Assert.True(TableBinding.IsOfAnotherFeed(state, FeedUri.Parse(new Uri("https://feed.example/items?a=2&app_key=s3cr3t"))));
    }

    [Fact]
    public void A_long_cursor_is_cut_short() => Assert.Equal(new string('x', 60) + "...", Cursor.Parse(new string('x', 5000)).Display);
}
