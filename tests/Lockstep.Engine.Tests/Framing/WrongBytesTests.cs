using System.Text;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Tests.Framing;

/// <summary>Bytes that are not an object are reported with their position, and reading continues after them (I7).</summary>
public sealed class WrongBytesTests
{
    [Fact]
    public void Strings_may_hold_braces_quotes_and_escapes()
    {
        string[] records =
        [
            "{\"a\":\"}{\"}",
            "{\"a\":\"\\\"}\"}",
            "{\"a\":\"\\\\\"}",
            "{\"{\":\"\\u007b\"}",
            "{\"a\":[\"}\",{\"b\":\"]\"}]}",
        ];

        var frames = Frames.Of(string.Concat(records));

        Assert.Equal(records, frames.Select(f => f.Text));
        Assert.All(frames, f => Assert.Equal(FrameKind.Object, f.Kind));
    }

    [Fact]
    public void Pretty_printed_objects_are_objects()
    {
        const string Pretty = "{\r\n  \"id\": 1,\r\n  \"tags\": [\r\n    {\r\n      \"a\": {}\r\n    },\r\n    {}\r\n  ]\r\n}";

        Assert.Equal([Pretty, Pretty], Frames.Of(Pretty + "\r\n" + Pretty + "\r\n").Select(f => f.Text));
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public void Garbage_is_reported_up_to_the_end_of_its_line_or_the_next_object()
    {
        var frames = Frames.Of("{\"id\":1}\noops, an error page\n{\"id\":2} x {\"id\":3}\n");

        Assert.Equal(
            [(FrameKind.Object, 0L), (FrameKind.Garbage, 9L), (FrameKind.Object, 29L), (FrameKind.Garbage, 38L), (FrameKind.Object, 40L)],
            frames.Select(f => (f.Kind, f.Offset))
        );
        Assert.Equal("oops, an error page", frames[1].Text);
    }

    [Fact]
    public void Long_garbage_comes_in_pieces_that_do_not_depend_on_chunks()
    {
        var bytes = Encoding.UTF8.GetBytes(new string('x', 200_000) + "\n{\"id\":1}");

        var frames = Frames.Read([bytes]);

        Assert.Equal([65536, 65536, 65536, 3392, 8], frames.Select(f => f.Length));
        Assert.Equal(frames, Frames.Read(Frames.Chop(bytes, new Random(3), longest: 9000)));
    }

    [Theory]
    [InlineData("{\"id\":1,\"name\":\"bro\n{\"id\":2}\n", "{\"id\":1,\"name\":\"bro")]
    [InlineData("{\"id\":1,\"name\":{\"id\":2}", "")]
    [InlineData("{\"id\":1,\"n{\"id\":2}", "")]
    [InlineData("{\"id\":1 {\"id\":2}", "{\"id\":1 ")]
    [InlineData("{{\"id\":2}", "{")]
    [InlineData("{\"id\":1,\"updated_at\":\n{\"id\":2}\n{\"id\":3}", "{\"id\":1,\"updated_at\":")]
    [Trait("Invariant", "I7")]
    public void A_torn_object_does_not_take_the_next_ones_with_it(string text, string torn)
    {
        var frames = Frames.Of(text);

        if (torn.Length == 0)
        {
            // Without a line break nothing shows where it broke; but nothing is lost silently.
            Assert.NotEqual(FrameKind.Object, frames[^1].Kind);
            return;
        }

        Assert.Equal((FrameKind.Torn, torn), (frames[0].Kind, frames[0].Text));
        Assert.Contains(frames, f => f is { Kind: FrameKind.Object, Text: "{\"id\":2}" });
    }

    [Theory]
    [InlineData("{\"id\":1,\"children\":[\n{\"id\":7,\"updated_at\":9},\n{\"id\":8,\"upd")]
    [InlineData("{\n  \"id\": 1,\n  \"child\":\n{\n\"id\": 7\n}")]
    public void The_inner_objects_of_a_truncated_one_are_no_records(string text)
    {
        Assert.Equal([FrameKind.Truncated], Frames.Of(text).Select(f => f.Kind));
    }

    [Fact]
    public void A_byte_order_mark_is_passed_over_and_only_at_the_start()
    {
        byte[] mark = [0xEF, 0xBB, 0xBF],
            record = [.. "{\"id\":1}"u8];

        Assert.Equal(
            [FrameKind.Object],
            Frames
                .Read([
                    [.. mark, .. record],
                ])
                .Select(f => f.Kind)
        );
        Assert.Equal(
            [FrameKind.Object],
            Frames
                .Read([
                    [0xEF],
                    [0xBB],
                    [0xBF],
                    record,
                ])
                .Select(f => f.Kind)
        );
        Assert.Equal(
            [FrameKind.Object, FrameKind.Garbage, FrameKind.Object],
            Frames.Read([record, [.. mark, .. record]]).Select(f => f.Kind)
        );
        Assert.Equal(
            [FrameKind.Garbage],
            Frames
                .Read([
                    [0xEF, 0xBB],
                ])
                .Select(f => f.Kind)
        );
    }

    [Fact]
    public void Line_ends_of_every_kind_are_heartbeats_only_where_the_line_is_empty()
    {
        Assert.Equal(
            [FrameKind.BlankLine, FrameKind.Object, FrameKind.BlankLine, FrameKind.Object, FrameKind.BlankLine, FrameKind.BlankLine],
            Frames.Of("\r\n{\"id\":1}\r\n\r\n{\"id\":2} \t\n  \n\n").Select(f => f.Kind)
        );
    }
}
