using System.Text;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Tests.Framing;

/// <summary>A record has a maximum size, and memory does not grow beyond it (I8).</summary>
public sealed class TooLongTests
{
    [Theory]
    [InlineData(20, true)]
    [InlineData(19, false)]
    [Trait("Invariant", "I8")]
    public void The_limit_is_a_size_that_is_still_allowed(int maximum, bool fits)
    {
        const string Record = "{\"id\":1,\"a\":\"45678\"}";
        Assert.Equal(20, Record.Length);

        var expected = fits ? FrameKind.Object : FrameKind.TooLong;
        Assert.Equal([expected, FrameKind.Object], Frames.Of(Record + "{\"id\":2}", maximum).Select(f => f.Kind));
    }

    [Fact]
    [Trait("Invariant", "I8")]
    public void What_is_too_long_is_told_once_with_its_beginning_and_the_next_record_is_read()
    {
        var bytes = Encoding.UTF8.GetBytes("{\"id\":1}{\"long\":\"" + new string('}', 50_000) + "\",\"o\":{\"p\":[{}]}}\n{\"id\":2}");

        foreach (var longest in (int[])[1, 50, 5000, 100_000])
        {
            var frames = Frames.Read(Frames.Chop(bytes, new Random(1), longest), maximum: 2000);

            Assert.Equal(
                [(FrameKind.Object, 0L), (FrameKind.TooLong, 8L), (FrameKind.Object, 50_035L)],
                frames.Select(f => (f.Kind, f.Offset))
            );
            Assert.Equal(1024, frames[1].Length);
        }
    }

    [Fact]
    [Trait("Invariant", "I8")]
    public void The_buffer_stays_small_while_a_record_without_end_is_passed_over()
    {
        var reader = new FrameReader(maximumLength: 1000);
        reader.Append("{\"long\":\""u8);
        var more = new byte[10_000];
        more.AsSpan().Fill((byte)'x');
        int largest = 0,
            tooLong = 0;
        for (var i = 0; i < 1000; i++)
        {
            reader.Append(more);
            while (reader.TryRead(out var frame))
                tooLong += frame.Kind == FrameKind.TooLong ? 1 : 0;
            largest = Math.Max(largest, reader.GetFreeMemory().Length);
        }

        Assert.Equal(1, tooLong);
        Assert.True(largest <= 256 * 1024);
    }

    [Fact]
    [Trait("Invariant", "I7")]
    public void A_torn_object_that_is_too_long_does_not_swallow_the_rest_of_the_feed()
    {
        var torn = "{\"list\":[" + string.Join(",", Enumerable.Range(0, 500));
        var body = torn + "\n{\"id\":2}\n{\"id\":3}\n";

        foreach (var longest in (int[])[1, 10, 10_000])
        {
            var frames = Frames.Read(Frames.Chop(Encoding.UTF8.GetBytes(body), new Random(1), longest), maximum: 100);

            Assert.Equal([FrameKind.TooLong, FrameKind.Object, FrameKind.Object], frames.Select(f => f.Kind));
        }
    }
}
