using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Where a dialect finds a value: a field, a JSON Pointer (RFC 6901), a header, a link, or the items as a whole.</summary>
public sealed class PlaceTests
{
    /// <summary>The example of RFC 6901, section 5.</summary>
    private const string Rfc = """
        {"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}
        """;

    [Theory]
    [InlineData("/foo", """["bar","baz"]""")]
    [InlineData("/foo/0", "\"bar\"")]
    [InlineData("/", "0")]
    [InlineData("/a~1b", "1")]
    [InlineData("/c%d", "2")]
    [InlineData("/e^f", "3")]
    [InlineData("/g|h", "4")]
    [InlineData("/i\\j", "5")]
    [InlineData("/k\"l", "6")]
    [InlineData("/ ", "7")]
    [InlineData("/m~0n", "8")]
    [InlineData("/foo/2", null)]
    [InlineData("/foo/-", null)]
    [InlineData("/foo/00", null)]
    [InlineData("/foo/+1", null)]
    [InlineData("/foo/-1", null)]
    [InlineData("/foo/99999999999999999999", null)]
    [InlineData("/foo/bar", null)]
    [InlineData("/foo/0/bar", null)]
    [InlineData("/a/b", null)]
    [InlineData("/m~00n", null)]
    [InlineData("/missing/foo", null)]
    [InlineData("a/b", "1")] // A field's name is taken as it is.
    [InlineData("m~n", "8")]
    [InlineData("foo/0", null)]
    public void A_pointer_finds_what_the_standard_says(string text, string? json)
    {
        Assert.Equal(json, Find(text, Rfc));
        Assert.Equal(json, FindInItem(text, Rfc));
    }

    [Theory]
    [InlineData("", """{"a":1}""", """{"a":1}""")]
    [InlineData("", "[1]", "[1]")]
    [InlineData("/~01", """{"~1":1}""", "1")]
    [InlineData("/~1~0", """{"/~":1}""", "1")]
    [InlineData("/0", """{"0":1}""", "1")]
    [InlineData("/0", "[5,6]", "5")]
    [InlineData("/1/b/0", """[{},{"b":[{"c":[]}]}]""", """{"c":[]}""")]
    [InlineData("/é", """{"\u00e9":1}""", "1")]
    [InlineData("/a/\"", """{"\u0061":{"\"":1.50}}""", "1.50")]
    [InlineData("a", """{"a":1,"a":2}""", "2")]
    [InlineData("/a/b", """{"a":{"b":1,"b":2}}""", "2")]
    [InlineData("a", "[1]", null)]
    [InlineData("/a", "5", null)]
    [InlineData("/a", "null", null)]
    public void Escapes_doubles_and_values_of_any_kind_are_found_alike(string text, string json, string? found)
    {
        Assert.Equal(found, Find(text, json));
        Assert.Equal(found, FindInItem(text, json));
    }

    [Fact]
    public void Whatever_the_names_a_pointer_of_them_leads_to_the_value()
    {
        Prop.ForAll(
                Arb.From(Gen.NonEmptyListOf(Names())),
                all =>
                {
                    string[] names = [.. all.Take(20)];
                    var json = names
                        .AsEnumerable()
                        .Reverse()
                        .Aggregate("7", (inner, name) => $$"""{"x":[],{{JsonSerializer.Serialize(name)}}:{{inner}}}""");
                    var pointer = string.Concat(names.Select(name => "/" + name.Replace("~", "~0").Replace("/", "~1")));

                    Assert.Equal("7", Find(pointer, json));
                    Assert.Equal("7", FindInItem(pointer, json));
                    Assert.Null(Find(pointer + "/more", json));
                    Assert.Null(FindInItem(pointer + "/more", json));
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Theory]
    [InlineData("header:X-Next", (int)PlaceKind.Header, "X-Next", false, false)]
    [InlineData("link:next", (int)PlaceKind.Link, "next", false, false)]
    [InlineData("event:", (int)PlaceKind.EventType, "", false, false)]
    [InlineData("id:", (int)PlaceKind.EventId, "", false, false)]
    [InlineData("page:", (int)PlaceKind.Count, "page", false, false)]
    [InlineData("offset:", (int)PlaceKind.Count, "offset", false, false)]
    [InlineData("last:/a/b", (int)PlaceKind.Pointer, "/a/b", true, false)]
    [InlineData("max:at", (int)PlaceKind.Field, "at", true, true)]
    [InlineData("@odata.deltaLink", (int)PlaceKind.Field, "@odata.deltaLink", false, false)]
    [InlineData("a:b", (int)PlaceKind.Field, "a:b", false, false)]
    public void A_prefix_says_what_kind_of_place_it_is(string text, int kind, string name, bool isOfItems, bool isMaximum)
    {
        var place = Place.Parse(text);

        Assert.Equal(((PlaceKind)kind, name, isOfItems, isMaximum), (place.Kind, place.Name, place.IsOfItems, place.IsMaximum));
    }

    [Theory]
    [InlineData("header:")]
    [InlineData("link:")]
    [InlineData("event:x")]
    [InlineData("id:x")]
    [InlineData("page:2")]
    [InlineData("/a~")]
    [InlineData("/a~2b")]
    [InlineData("max:/~x")]
    [InlineData("max:header:X-Version")]
    [InlineData("last:id:")]
    [InlineData("last:link:next")]
    [InlineData("last:max:at")]
    public void What_is_no_place_is_refused(string text) => Assert.Throws<FormatException>(() => Place.Parse(text));

    private static Gen<string> Names() =>
        Gen.Select(
            Gen.ArrayOf(Gen.Elements("a", "B", "0", "1", "~", "/", "~0", "~1", "\"", "\\", " ", ".", "é", "😀", "\u0001")),
            parts => string.Concat(parts)
        );

    private static string? Find(string place, string json)
    {
        using var document = JsonDocument.Parse(json);
        return Place.Parse(place).TryFind(document.RootElement, out var value) ? value.GetRawText() : null;
    }

    private static string? FindInItem(string place, string json)
    {
        var item = new JsonItem();
        Assert.True(item.Read(Encoding.UTF8.GetBytes(json)));
        return item.Find(Place.Parse(place)) is { } value ? Encoding.UTF8.GetString(value.Json.Span) : null;
    }
}
