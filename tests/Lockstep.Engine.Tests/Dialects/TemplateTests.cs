using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Texts of requests with places to fill.</summary>
public sealed class TemplateTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("all", "all")]
    [InlineData("{cursor}", "[cursor]")]
    [InlineData("since={cursor:yyyy-MM-dd HH:mm} and {identity}", "since=[cursor:yyyy-MM-dd HH:mm] and [identity]")]
    [InlineData("{timeout}s{header:X-Next}", "[timeout]s[header:X-Next]")]
    [InlineData("""[{"field":"name"}]""", """[{"field":"name"}]""")]
    [InlineData("""{"a":{"b":"{cursor}"}}""", """{"a":{"b":"[cursor]"}}""")]
    [InlineData("{}", "{}")]
    [InlineData("{1}", "{1}")]
    [InlineData("{cursor", "{cursor")]
    [InlineData("cursor}", "cursor}")]
    public void Names_in_braces_are_replaced_and_other_braces_stay(string text, string filled) =>
        Assert.Equal(filled, new Template(text).Fill(name => $"[{name}]"));

    [Theory]
    [InlineData("{curser}")]
    [InlineData("a {now} b")]
    [InlineData("{Cursor}")]
    public void An_unknown_name_is_refused(string text)
    {
        var error = Assert.Throws<FormatException>(() => new Template(text));

        Assert.Contains("{cursor}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_without_a_value_leaves_the_whole_text_out() =>
        Assert.Null(new Template("{cursor} and {identity}").Fill(name => name == "cursor" ? "1" : null));

    [Theory]
    [InlineData("{cursor}", true, true)]
    [InlineData("{cursor:s}", true, true)]
    [InlineData("{header:cursor}", true, false)]
    [InlineData("cursor", false, false)]
    [InlineData("{}", false, false)]
    public void It_knows_whether_it_has_the_cursor(string text, bool hasVariables, bool hasCursor)
    {
        var template = new Template(text);

        Assert.Equal((hasVariables, hasCursor), (template.HasVariables, template.HasCursor));
    }

    [Theory]
    [InlineData("since {cursor} on", "since 5 on", "5")]
    [InlineData("since {cursor}", "since 5 6", "5 6")]
    [InlineData("{cursor:s}", "5", "5")]
    [InlineData("{identity}-{cursor}", "a-5", "5")]
    [InlineData("since {cursor} on", "since 5", null)]
    [InlineData("since {cursor}", "until 5", null)]
    [InlineData("since {cursor}", "since ", null)]
    [InlineData("all", "all", null)]
    public void The_value_of_a_name_is_found_again(string template, string text, string? value) =>
        Assert.Equal(value, new Template(template).Find("cursor", text));

    [Fact]
    public void What_was_filled_in_is_found_whatever_it_is()
    {
        Prop.ForAll(
                Arb.From(Texts()),
                Arb.From(Texts()),
                Arb.From(Texts().Where(text => text.Length > 0)),
                (before, after, value) =>
                {
                    // What follows the name ends its value, so it must not occur in it.
                    if (after.Length > 0 && (value + after).IndexOf(after, StringComparison.Ordinal) < value.Length)
                        return;
                    var template = new Template($"{before}{{cursor}}{after}");

                    Assert.Equal(value, template.Find("cursor", template.Fill(_ => value)!));
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static Gen<string> Texts() =>
        Gen.Select(Gen.ArrayOf(Gen.Elements("a", "b", "=", "&", " ", "}", "5", "é")), parts => string.Concat(parts));
}
