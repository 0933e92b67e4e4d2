using Lockstep.Engine.Dialects;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A dialect's description may come from anybody: an invalid one is refused by name, and costs little.</summary>
public sealed class HostileDialectTests
{
    [Theory]
    [InlineData("""{"From":"Rest","Items":"\ud800"}""", "not valid Unicode")]
    [InlineData("""{"From":"\udfff"}""", "not valid Unicode")]
    [InlineData("""{"\ud800":1}""", "not valid Unicode")]
    public void A_text_that_is_not_Unicode_is_refused(string json, string why) =>
        Assert.Contains(
            why,
            Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(json, "d")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void A_description_has_a_longest_length()
    {
        using TempFolder folder = new();
        var json = $$"""{"From":"Rest","Items":"{{new string('a', DialectDescription.MaximumLength)}}"}""";
        File.WriteAllText(folder["large.json"], json);
        Assert.Contains(
            $"longer than {DialectDescription.MaximumLength} characters",
            Assert.Throws<DialectFormatException>(() => DialectDescription.Parse(json, "d")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            $"larger than {DialectDescription.MaximumLength} bytes",
            Assert.Throws<DialectFormatException>(() => DialectDescription.Load(folder["large.json"])).Message,
            StringComparison.Ordinal
        );
    }
}
