using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Tests.Records;

/// <summary>Numbers of any size compare exactly (I3), and keys keep that order as bytes.</summary>
[Trait("Invariant", "I3")]
public sealed class ExactNumberTests
{
    [Fact]
    public void Comparison_agrees_with_exact_arithmetic()
    {
        Prop.ForAll(
                Arb.From(Numbers()),
                Arb.From(Numbers()),
                (left, right) =>
                {
                    Assert.Equal(Math.Sign(Compare(left, right)), Math.Sign(DecimalText.Compare(Bytes(left), Bytes(right))));
                    Assert.Equal(
                        Math.Sign(Compare(left, right)),
                        Math.Sign(OrderValue.Compare(OrderValue.FromNumber(Bytes(left)), OrderValue.FromNumber(Bytes(right))))
                    );
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void The_order_of_encoded_keys_is_the_order_of_the_values_and_equal_values_have_equal_bytes()
    {
        Prop.ForAll(
                Arb.From(Numbers()),
                Arb.From(Numbers()),
                (left, right) =>
                    Assert.Equal(
                        Math.Sign(Compare(left, right)),
                        Math.Sign(EncodeNumber(left).AsSpan().SequenceCompareTo(EncodeNumber(right)))
                    )
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void Composite_keys_compare_part_by_part_and_read_back_as_they_were()
    {
        var texts = Gen.Select(Gen.ArrayOf(Gen.Elements("a", "b", "\0", "\u0001", "é", "😀", "ÿ")), parts => string.Concat(parts));
        Prop.ForAll(
                Arb.From(texts),
                Arb.From(texts),
                (left, right) =>
                {
                    byte[] a = Encode(left, "1"),
                        b = Encode(right, "-2");
                    var expected = Bytes(left).AsSpan().SequenceCompareTo(Bytes(right)) is var byText && byText != 0 ? byText : 1;
                    Assert.Equal(Math.Sign(expected), Math.Sign(a.AsSpan().SequenceCompareTo(b)));
                    Assert.Equal([left, 1L], KeyEncoding.Read(a).Parts);
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void A_number_reads_back_from_its_key_with_its_exact_value()
    {
        Prop.ForAll(
                Arb.From(Numbers()),
                text =>
                {
                    var part = KeyEncoding.Read(EncodeNumber(text)).Parts[0];
                    Assert.Equal(0, Compare(text, part.ToString()!));
                    Assert.Equal(KeyEncoding.Read(EncodeNumber(text)), KeyEncoding.Read(EncodeNumber(text)));
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Theory]
    [InlineData("9223372036854775807", true)]
    [InlineData("-9223372036854775808", true)]
    [InlineData("9223372036854775808", false)]
    [InlineData("-9223372036854775809", false)]
    [InlineData("1.0", true)]
    [InlineData("10e-1", true)]
    [InlineData("1e18", true)]
    [InlineData("1e19", false)]
    [InlineData("0.5", false)]
    [InlineData("-0", true)]
    [InlineData("0e999999999999999999999", true)]
    [InlineData("1e999999999999999999999", false)]
    [InlineData("1e-999999999999999999999", false)]
    public void A_number_of_64_bits_is_known_as_one(string text, bool expected)
    {
        Assert.Equal(expected, DecimalText.TryGetInt64(Bytes(text), out var value));
        if (expected)
            Assert.Equal(0, DecimalText.Compare(Bytes(text), Bytes(value.ToString(CultureInfo.InvariantCulture))));
    }

    [Theory]
    [InlineData("100", 30, "70")]
    [InlineData("100", 100, "1")]
    [InlineData("100", 1000, "1")]
    [InlineData("5:5000", 10, "5:5000")]
    [InlineData("10.5", 0.25, "10.25")]
    [InlineData("1e400", 5, "1e400")]
    public void A_look_back_window_goes_before_the_cursor_but_never_asks_for_the_whole_set(string cursor, decimal window, string expected)
    {
        Assert.Equal(expected, Cursor.Parse(cursor).Back(window).ToString());
    }

    private static Gen<string> Numbers() =>
        from sign in Gen.Elements("", "-")
        from integral in Gen.Elements(
            "0",
            "1",
            "9",
            "10",
            "12",
            "999",
            "1000",
            "9223372036854775807",
            "9223372036854775808",
            "123456789012345678901234567890"
        )
        from fraction in Gen.Elements("", ".0", ".5", ".05", ".50", ".123456789012345678901", ".0000000000000001")
        from exponent in Gen.Elements("", "", "e0", "E+2", "e-2", "e30", "e-30", "e5")
        select sign + integral + fraction + exponent;

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] EncodeNumber(string text)
    {
        var output = new ArrayBufferWriter<byte>();
        KeyEncoding.WriteNumber(output, Bytes(text));
        return output.WrittenSpan.ToArray();
    }

    private static byte[] Encode(string text, string number)
    {
        var output = new ArrayBufferWriter<byte>();
        KeyEncoding.WriteText(output, Bytes(text));
        KeyEncoding.WriteNumber(output, Bytes(number));
        return output.WrittenSpan.ToArray();
    }

    /// <summary>An independent way to do it: both numbers as integers over a common power of ten.</summary>
    private static int Compare(string left, string right) => Scaled(left).CompareTo(Scaled(right));

    private static BigInteger Scaled(string text)
    {
        const int Shift = 100;
        var parts = text.Split('e', 'E');
        var exponent = parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0;
        var digits = parts[0].Split('.');
        var fraction = digits.Length > 1 ? digits[1] : "";
        var value =
            BigInteger.Parse(digits[0].TrimStart('-') + fraction, CultureInfo.InvariantCulture)
            * BigInteger.Pow(10, Shift + exponent - fraction.Length);
        return parts[0].StartsWith('-') ? -value : value;
    }
}
