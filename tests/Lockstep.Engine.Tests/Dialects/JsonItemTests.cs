using System.Text;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Places are found in an item, however its names are written, and never in the item before.</summary>
public sealed class JsonItemTests
{
    [Theory]
    [InlineData("a", """{"a":1,"b":2}""", "1")]
    [InlineData("c", """{"a":1,"b":2}""", null)]
    [InlineData("", """{"a":1}""", """{"a":1}""")]
    [InlineData("a", """{"a":1,"a":2}""", "2")]
    [InlineData("a/b", """{"a\/b":1}""", "1")]
    [InlineData("a", """{"\u0061":1}""", "1")]
    [InlineData("say \"a\\b\"", """{"say \"a\\b\"":1}""", "1")]
    [InlineData("/a/b", """{"a":{"b":1}}""", "1")]
    [InlineData("/a/b", """{"a":{"b":1,"b":2}}""", "2")]
    [InlineData("/a/b", """{"a":{"b":1},"a":{"c":2}}""", null)]
    [InlineData("/a/b", """{"a":{"c":1}}""", null)]
    [InlineData("/a/b", """{"a":1}""", null)]
    [InlineData("/a/b/c", """{"a":{"b":{"c":1}}}""", "1")]
    [InlineData("/a/1", """{"a":[1,2]}""", "2")]
    [InlineData("/a/2", """{"a":[1,2]}""", null)]
    [InlineData("/a/1/b", """{"a":[1,{"b":2}]}""", "2")]
    [InlineData("/0/b", """[{"b":2}]""", "2")]
    [InlineData("/", """{"":1}""", "1")]
    public void A_place_is_found(string place, string json, string? value)
    {
        var item = new JsonItem();
        foreach (var earlier in (string[])["""{"a":{"b":"x","c":"x"},"c":"x"}""", """[{"b":"x"},{"b":"x"},{"b":"x"}]""", json])
        {
            item.Read(Encoding.UTF8.GetBytes(earlier));
            item.Find(Place.Parse(place));
            item.Find(Place.Parse("/a/c"));
        }

        Assert.Equal(value, item.Find(Place.Parse(place))?.Text);
    }
}
