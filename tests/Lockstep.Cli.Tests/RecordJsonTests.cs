using System.Text;
using Lockstep.Cli.Output;

namespace Lockstep.Cli.Tests;

/// <summary>Records as JSON contain nothing that controls a terminal, and mean the same.</summary>
public sealed class RecordJsonTests
{
    [Theory]
    [InlineData("{\"a\":\"\u001b[31m\u0007\"}", """{"a":"\u001b[31m\u0007"}""")]
    [InlineData("{\"\u009b1m\":\"\u202e\u007f\"}", """{"\u009b1m":"\u202e\u007f"}""")]
    [InlineData("{\"a\":\"1\u2028 2\u2029 3\u0085 4\"}", """{"a":"1\u2028 2\u2029 3\u0085 4"}""")]
    [InlineData("{\"a\":\n1}", """{"a": 1}""")]
    [InlineData("{\"a\":\"é – ж 語 😀\"}", "{\"a\":\"é – ж 語 😀\"}")]
    public void What_steers_is_an_escape(string json, string shown) =>
        Assert.Equal(shown, Encoding.UTF8.GetString(RecordJson.Of(Encoding.UTF8.GetBytes(json))));

    [Theory]
    [InlineData("x")]
    [InlineData("\u2028")]
    [InlineData("–")]
    public void A_record_of_megabytes_is_written_without_a_copy(string text)
    {
        var json = Encoding.UTF8.GetBytes($"{{\"a\":\"{string.Concat(Enumerable.Repeat(text, 1 << 20))}\"}}\n");
        RecordJson.Write(Encoding.UTF8.GetBytes("{\"\u2028\":\n1}"), Stream.Null);
        var before = GC.GetAllocatedBytesForCurrentThread();

        RecordJson.Write(json, Stream.Null);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }
}
