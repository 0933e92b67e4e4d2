using System.Text;
using Lockstep.Engine.Framing;

namespace Lockstep.Engine.Tests.Framing;

/// <summary>A reader that finds the ends of objects itself continues after an object that was framed.</summary>
public sealed class OnePassTests
{
    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void The_object_behind_a_framed_one_need_not_be_framed(string separator)
    {
        var frames = new FrameReader();
        frames.Append(Encoding.UTF8.GetBytes($$"""{"id":1}{{separator}}{"id":2}{{separator}}{"id":3}"""));
        Assert.True(frames.TryRead(out var first));
        Assert.Equal("""{"id":1}""", Encoding.UTF8.GetString(first.Bytes));

        Assert.StartsWith("""{"id":2}""", Encoding.UTF8.GetString(frames.PeekUnframed()), StringComparison.Ordinal);
        frames.Take(8);
        Assert.Equal("""{"id":3}""", Encoding.UTF8.GetString(frames.PeekUnframed()));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public void A_blank_line_behind_it_is_still_told(string lineEnd)
    {
        var frames = new FrameReader();
        frames.Append(Encoding.UTF8.GetBytes($$"""{"id":1}{{lineEnd}}{{lineEnd}}{"id":2}"""));
        Assert.False(frames.PeekUnframed().IsEmpty);
        frames.Take(8);

        Assert.True(frames.PeekUnframed().IsEmpty);
        Assert.True(frames.TryRead(out var blank));
        Assert.Equal(FrameKind.BlankLine, blank.Kind);
        Assert.Equal("""{"id":2}""", Encoding.UTF8.GetString(frames.PeekUnframed()));
    }

    [Fact]
    public void An_object_in_part_is_seen_as_far_as_it_goes_and_a_white_space_before_it_is_left_to_framing()
    {
        var frames = new FrameReader();
        frames.Append("{\"id\":1}\n {\"id\":2"u8);
        frames.Take(8);

        Assert.True(frames.PeekUnframed().IsEmpty);
        Assert.False(frames.TryRead(out _));
        Assert.True(frames.IsInsideObject);
        frames.Append("}"u8);
        Assert.True(frames.TryRead(out var second));
        Assert.Equal("{\"id\":2}", Encoding.UTF8.GetString(second.Bytes));
    }
}
