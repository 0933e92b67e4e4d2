using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

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
    public void Other_options_are_shown(string name) => Assert.False(SecretNames.Contain(name));

    [Theory]
    [InlineData("5:5000", "5:5000")]
    [InlineData("https://me:s3cr3t@graph.example/users/delta?$deltatoken=s3cr3t", "https://graph.example/users/delta?...")]
    [InlineData("://s3cr3t", "(an address)")]
    public void A_cursor_that_is_an_address_is_shown_without_its_secrets(string cursor, string shown) =>
        Assert.Equal(shown, Cursor.Parse(cursor).Display);

    [Fact]
    public void A_long_cursor_is_cut_short() => Assert.Equal(new string('x', 60) + "...", Cursor.Parse(new string('x', 5000)).Display);
}
