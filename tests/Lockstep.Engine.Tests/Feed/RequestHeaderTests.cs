using Lockstep.Engine.Feed;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>No feed, file or dialect can add a header to a request through a line break in a value.</summary>
public sealed class RequestHeaderTests
{
    [Theory]
    [InlineData("5\r\nAuthorization: Bearer x", "5  Authorization: Bearer x")]
    [InlineData("5\n\nGET / HTTP/1.1", "5  GET / HTTP/1.1")]
    [InlineData("a\0b\u0085c", "a b c")]
    [InlineData("plain", "plain")]
    public void A_value_stays_on_its_line(string value, string sent)
    {
        using HttpRequestMessage request = new();
        RequestHeader.Add(request.Headers, "Last-Event-ID", value);
        Assert.Equal(sent, Assert.Single(request.Headers.NonValidated["Last-Event-ID"]));
    }
}
