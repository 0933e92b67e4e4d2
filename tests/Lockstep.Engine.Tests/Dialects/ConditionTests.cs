using System.Text;
using System.Text.Json;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>What must hold for an answer or an item: a place that is there, a value of its JSON type, a status, any of these.</summary>
public sealed class ConditionTests
{
    [Theory]
    [InlineData("\"a\"", """{"a":1}""", true)]
    [InlineData("\"a\"", """{"a":0}""", true)]
    [InlineData("\"a\"", """{"a":""}""", true)]
    [InlineData("\"a\"", """{"a":"false"}""", true)] // Only a condition with the value says that it means no.
    [InlineData("\"a\"", """{"a":{}}""", true)]
    [InlineData("\"a\"", """{"a":[]}""", true)]
    [InlineData("\"a\"", """{"a":true}""", true)]
    [InlineData("\"a\"", """{"a":false}""", false)]
    [InlineData("\"a\"", """{"a":null}""", false)]
    [InlineData("\"a\"", "{}", false)]
    [InlineData("\"a\"", """{"A":1}""", false)]
    [InlineData("\"/a/b\"", """{"a":{"b":1}}""", true)]
    [InlineData("\"/a/b\"", """{"a":5}""", false)]
    public void A_place_holds_if_it_has_a_value_other_than_null_and_false(string condition, string item, bool holds) =>
        Assert.Equal(holds, OfItem(condition, item));

    [Theory]
    [InlineData("""{"a":"x"}""", """{"a":"x"}""", true)]
    [InlineData("""{"a":"x"}""", """{"a":"\u0078"}""", true)]
    [InlineData("""{"a":"x"}""", """{"a":"X"}""", false)]
    [InlineData("""{"a":"é\n"}""", """{"a":"\u00e9\n"}""", true)]
    [InlineData("""{"a":410}""", """{"a":410}""", true)]
    [InlineData("""{"a":410}""", """{"a":410.0}""", true)]
    [InlineData("""{"a":410}""", """{"a":4.1e2}""", true)]
    [InlineData("""{"a":410}""", """{"a":"410"}""", false)]
    [InlineData("""{"a":"410"}""", """{"a":410}""", false)]
    [InlineData("""{"a":false}""", """{"a":false}""", true)]
    [InlineData("""{"a":"false"}""", """{"a":false}""", false)]
    [InlineData("""{"a":"false"}""", """{"a":"false"}""", true)]
    [InlineData("""{"a":null}""", """{"a":null}""", true)]
    [InlineData("""{"a":null}""", "{}", false)]
    [InlineData("""{"a":{"x":1,"y":2}}""", """{"a":{"y":2,"x":1}}""", true)]
    [InlineData("""{"a":["x","y"]}""", """{"a":"y"}""", true)]
    [InlineData("""{"a":["x",5]}""", """{"a":5}""", true)]
    [InlineData("""{"a":["x",5]}""", """{"a":"5"}""", false)]
    [InlineData("""{"a":[]}""", """{"a":"x"}""", false)]
    [InlineData("""{"a":"x","b":1}""", """{"a":"x","b":1}""", true)]
    [InlineData("""{"a":"x","b":1}""", """{"a":"x","b":2}""", false)]
    [InlineData("{}", """{"a":1}""", false)]
    [InlineData("""{"/a/b":"x"}""", """{"a":{"b":"x"}}""", true)]
    [InlineData("""{"a":"*end"}""", """{"a":"the end"}""", true)]
    [InlineData("""{"a":"*end"}""", """{"a":"the \u0065nd"}""", true)]
    [InlineData("""{"a":"*end"}""", """{"a":"end "}""", false)]
    [InlineData("""{"a":"*"}""", """{"a":""}""", true)]
    [InlineData("""{"a":"*1"}""", """{"a":1}""", false)]
    [InlineData("""{"a":"a*"}""", """{"a":"ab"}""", false)]
    public void A_value_is_compared_by_its_type(string condition, string item, bool holds) => Assert.Equal(holds, OfItem(condition, item));

    [Theory]
    [InlineData("410", 410, true)]
    [InlineData("410", 200, false)]
    [InlineData("[404, 410]", 404, true)]
    [InlineData("[404, { \"error\": \"gone\" }]", 200, true)]
    [InlineData("[404, { \"error\": \"busy\" }, \"header:x-end\"]", 200, true)]
    [InlineData("[404, { \"error\": \"busy\" }, \"header:x-other\"]", 200, false)]
    [InlineData("{ \"header:X-End\": \"yes\" }", 200, true)]
    [InlineData("{ \"header:x-end\": true }", 200, false)]
    [InlineData("[]", 200, false)]
    [InlineData("[[410], [[200]]]", 200, true)]
    public void A_status_a_header_or_any_of_several_holds_for_an_answer(string condition, int status, bool holds)
    {
        using var response = new HttpResponseMessage((System.Net.HttpStatusCode)status);
        response.Headers.TryAddWithoutValidation("X-End", "yes");
        using var body = JsonDocument.Parse("""{"error":"gone"}""");

        Assert.Equal(holds, Parse(condition).Holds(new ResponsePlaces(response, body.RootElement)));
    }

    [Fact]
    public void An_item_has_no_status_and_an_event_has_a_type_and_an_id()
    {
        var places = new ItemPlaces { Origin = new ItemOrigin("delete", "7") };
        places.Item.Read("{}"u8);

        Assert.True(Parse("""{"event:":["remove","delete"]}""").Holds(places));
        Assert.True(Parse("""{"id:":"7"}""").Holds(places));
        Assert.False(Parse("200").Holds(places));
        Assert.False(Parse("\"header:x-end\"").Holds(places));
    }

    [Theory]
    [InlineData("99")]
    [InlineData("600")]
    [InlineData("4.5")]
    [InlineData("true")]
    [InlineData("null")]
    [InlineData("[true]")]
    [InlineData("\"header:\"")]
    [InlineData("""{"/a~":1}""")]
    public void What_is_no_condition_is_refused(string condition) => Assert.Throws<FormatException>(() => Parse(condition));

    private static Condition Parse(string condition)
    {
        using var document = JsonDocument.Parse(condition);
        return Condition.Parse(document.RootElement);
    }

    private static bool OfItem(string condition, string json)
    {
        var places = new ItemPlaces();
        Assert.True(places.Item.Read(Encoding.UTF8.GetBytes(json)));
        return Parse(condition).Holds(places);
    }
}
