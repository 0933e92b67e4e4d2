using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Tests.Framing;

/// <summary>A chunk boundary means nothing, wherever it falls.</summary>
public sealed class ChunkingTests
{
    private const string Example = "{\"id\":1}{\"id\":2}\r\n\n{\"heartbeat\":true}";

    /// <summary>Pieces of feeds, valid and malformed, from which the properties build bodies.</summary>
    private static readonly string[] Pieces =
    [
        "{\"id\":1}",
        "{\"id\":2,\"a\":{\"b\":[{\"c\":1},{}]}}",
        "{\"s\":\"}{\\\"\\\\\"}",
        "{\"ü€😀\":\"é\"}",
        "\n",
        "\r\n",
        "\n\n",
        " ",
        "\t",
        "garbage",
        "]",
        "{\"torn\":\"",
        "{\"torn\":",
        "{\"a\":[",
        "}",
        "\\",
        "\"",
        "{",
        "{\n  \"id\": 3,\n  \"list\": [\n    {\n      \"x\": 1\n    }\n  ]\n}",
        "\u0000",
        "{\"long\":\"" + new string('x', 90) + "\"}",
    ];

    [Fact]
    public void The_example_holds_three_objects_and_a_blank_line()
    {
        Assert.Equal(
            [
                (FrameKind.Object, "{\"id\":1}", 0L),
                (FrameKind.Object, "{\"id\":2}", 8L),
                (FrameKind.BlankLine, "\n", 18L),
                (FrameKind.Object, "{\"heartbeat\":true}", 19L),
            ],
            Frames.Of(Example).Select(f => (f.Kind, f.Text, f.Offset))
        );
    }

    [Fact]
    public void Every_cut_into_three_pieces_gives_the_same_frames()
    {
        var bytes = Encoding.UTF8.GetBytes(Example);
        var whole = Frames.Of(Example);
        for (var i = 0; i <= bytes.Length; i++)
        {
            for (var j = i; j <= bytes.Length; j++)
            {
                Assert.Equal(whole, Frames.Read([bytes[..i], bytes[i..j], bytes[j..]]));
            }
        }
    }

    [Fact]
    public void A_body_that_ends_at_any_byte_gives_the_objects_before_it_and_says_that_the_last_is_truncated()
    {
        var bytes = Encoding.UTF8.GetBytes(Example);
        var whole = Frames.Of(Example);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            var frames = Frames.Read([bytes[..cut]]);
            List<ReadFrame> complete = [.. whole.Where(f => f.Offset + f.Length <= cut)];
            Assert.Equal(complete, frames.Take(complete.Count));
            var open = whole.Find(f => f.Offset < cut && f.Offset + f.Length > cut);
            Assert.Equal(open is null ? [] : [FrameKind.Truncated], frames.Skip(complete.Count).Select(f => f.Kind));
        }
    }

    [Fact]
    public void Characters_of_several_bytes_may_be_split_anywhere()
    {
        const string Text = "{\"ключ\":\"値😀\",\"é\":\"\\u00e9\\\"}\"}\n{\"id\":2}";
        var bytes = Encoding.UTF8.GetBytes(Text);
        var whole = Frames.Of(Text);
        Assert.Equal(2, whole.Count);
        Assert.Equal(whole, Frames.Read(bytes.Select(b => new[] { b })));
        for (var i = 0; i <= bytes.Length; i++)
            Assert.Equal(whole, Frames.Read([bytes[..i], bytes[i..]]));
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public void Chunking_never_matters()
    {
        Prop.ForAll(
                Bodies(),
                ArbMap.Default.ArbFor<int>(),
                (text, seed) =>
                {
                    var bytes = Encoding.UTF8.GetBytes(text);
                    var whole = Frames.Read([bytes], maximum: 80);
                    Assert.Equal(whole, Frames.Read(Frames.Chop(bytes, new Random(seed), longest: 7), maximum: 80));
                    Assert.Equal(whole, Frames.Read(bytes.Select(b => new[] { b }), maximum: 80));
                }
            )
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public void Every_byte_is_of_exactly_one_frame_or_white_space_between_frames()
    {
        Prop.ForAll(
                Bodies(),
                ArbMap.Default.ArbFor<int>(),
                (text, seed) =>
                {
                    var bytes = Encoding.UTF8.GetBytes(text);
                    long position = 0;
                    foreach (var frame in Frames.Read(Frames.Chop(bytes, new Random(seed), longest: 30)))
                    {
                        Assert.True(frame.Offset >= position, "frames overlap");
                        AssertWhiteSpace(bytes[(int)position..(int)frame.Offset]);
                        Assert.Equal(Encoding.UTF8.GetString(bytes, (int)frame.Offset, frame.Length), frame.Text);
                        position = frame.Offset + frame.Length;
                    }

                    AssertWhiteSpace(bytes[(int)position..]);
                }
            )
            .QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Random_bytes_never_break_the_reader()
    {
        var random = new Random(7);
        byte[] alphabet = [.. "{}[]\"\\,:\n\r \t0aé"u8, 0, 0xEF, 0xBB, 0xBF, 0xFF];
        for (var round = 0; round < 2000; round++)
        {
            byte[] bytes = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => alphabet[random.Next(alphabet.Length)])];
            var whole = Frames.Read([bytes], maximum: 16);
            Assert.Equal(whole, Frames.Read(Frames.Chop(bytes, random, longest: 3), maximum: 16));
        }
    }

    private static Arbitrary<string> Bodies() => Arb.From(Gen.Select(Gen.ArrayOf(Gen.Elements(Pieces)), pieces => string.Concat(pieces)));

    private static void AssertWhiteSpace(byte[] bytes) =>
        Assert.All(bytes, b => Assert.True(b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n', $"byte {b} is in no frame"));
}
