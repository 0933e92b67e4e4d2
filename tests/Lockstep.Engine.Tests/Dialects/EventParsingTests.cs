using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Dialects;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>
/// An event stream is read as browsers read it, wherever its bytes are cut. The cases are those that web-platform-tests has for the format
/// of event streams.
/// </summary>
public sealed class EventParsingTests
{
    /// <summary>Pieces of streams, from which the property builds them.</summary>
    private static readonly string[] Pieces =
    [
        "data:a",
        "data: {\"id\":1}",
        "data",
        "id:1",
        "id",
        "id:x\0",
        "event:e",
        "retry:10",
        "retry:1x",
        ": c",
        ":",
        "unknown",
        "\uFEFF",
        "ä😀",
        " ",
        "\0",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\r",
        "\r\n\r\n",
    ];

    public static TheoryData<string, string[]> Cases =>
        new()
        {
            // A byte order mark counts once, and only at the beginning.
            { "\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n", ["message|1|", "message|3|"] },
            { "\uFEFF\uFEFFdata:1\n\ndata:2\n\ndata:3\n\n", ["message|2|", "message|3|"] },
            // Lines end in LF, CR or CRLF, also mixed.
            { "data:test\r\ndata\ndata:test\r\n\r", ["message|test\n\ntest|"] },
            { "data:1\r\rdata:2\n\ndata:3\r\n\r\ndata:4\r\n\n", ["message|1|", "message|2|", "message|3|", "message|4|"] },
            // Comments, also between the lines of an event.
            {
                $"data:1\r:\0\n:\r\ndata:2\n:{new string('x', 2048)}\rdata:3\n:data:fail\r:{new string('x', 2048)}\ndata:4\n\n",
                ["message|1\n2\n3\n4|"]
            },
            // Data may be empty, and a field needs no colon.
            { "data:\n\ndata\ndata\n\ndata:test\n\n", ["message||", "message|\n|", "message|test|"] },
            { "event:x\n\nid:7\n\ndata:a\n\n", ["message|a|7"] },
            // What no blank line ends is dropped.
            { "data:test1\n\nid:test\ndata:test2", ["message|test1|"] },
            { "data:test1\n\nid:test\ndata:test2\n", ["message|test1|"] },
            // The names of fields are exact, and one space after the colon is none of the value.
            {
                "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
                ["message|\0\n 2\n1\n3\n\n4|"]
            },
            { "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n", ["message|test\n\ntest|"] },
            { "data:\ttest\rdata: \ndata:test\n\n", ["message|\ttest\n\ntest|"] },
            { "data:\0\n\n\n\n", ["message|\0|"] },
            { "data:ok…\n\n", ["message|ok…|"] },
            // The type is of one event; an empty one is the usual one.
            { "event:test\ndata:x\n\ndata:x\n\n", ["test|x|", "message|x|"] },
            { "event: \ndata:data\n\n", ["message|data|"] },
            { "event:a\nevent:b\ndata:x\n\n", ["b|x|"] },
            // An id persists until there is another one; an empty one resets it, and one with NUL is none.
            { "id:1…\ndata:a\n\ndata:b\n\nid:2\ndata:c\n\n", ["message|a|1…", "message|b|1…", "message|c|2"] },
            { "id:1\ndata:a\n\nid\ndata:b\n\ndata:c\n\n", ["message|a|1", "message|b|", "message|c|"] },
            { "id:1\n\ndata:a\n\n", ["message|a|1"] },
            {
                "id:1\ndata:a\n\nid:\0\0\ndata:b\n\nid:x\0\ndata:c\n\nid:\0x\ndata:d\n\nid:x\0x\ndata:e\n\nid: \0\ndata:f\n\n",
                ["message|a|1", "message|b|1", "message|c|1", "message|d|1", "message|e|1", "message|f|1"]
            },
        };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Events_are_read_as_browsers_do_wherever_they_are_cut(string text, string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);

        Assert.Equal(expected, Read([bytes]).Events);
        Assert.Equal(expected, Read(bytes.Select(b => new[] { b })).Events);
        for (var cut = 1; cut < Math.Min(bytes.Length, 300); cut++)
            Assert.Equal(expected, Read([bytes[..cut], bytes[cut..]]).Events);
    }

    [Theory]
    [InlineData("retry:3000\ndata:x\n\n", 3000)]
    [InlineData("retry: 3000\n", 3000)]
    [InlineData("retry:3000\nretry:1000x\ndata:x\n\n", 3000)]
    [InlineData("retry:3000\nretry:-1\nretry:1.5\nretry:+7\nretry: \nretry\n", 3000)]
    [InlineData("retry:0\n", 0)]
    [InlineData("retry:99999999999999999999\n", null)]
    [InlineData("retry\ndata:test\n\n", null)]
    public void A_time_to_wait_has_digits_only(string text, int? milliseconds) =>
        Assert.Equal(milliseconds, (int?)Read([Encoding.UTF8.GetBytes(text)]).Retry?.TotalMilliseconds);

    [Fact]
    [Trait("Invariant", "I7")]
    public void Chunking_never_matters() =>
        Prop.ForAll(
                Arb.From(Gen.Select(Gen.ArrayOf(Gen.Elements(Pieces)), pieces => string.Concat(pieces))),
                ArbMap.Default.ArbFor<int>(),
                (text, seed) =>
                {
                    var bytes = Encoding.UTF8.GetBytes(text);
                    var whole = Read([bytes]);
                    foreach (var chunks in Chunks.Of(bytes, seed))
                    {
                        var read = Read(chunks);
                        Assert.Equal(whole.Events, read.Events);
                        Assert.Equal((whole.Retry, whole.Id, whole.IsWithin), (read.Retry, read.Id, read.IsWithin));
                    }
                }
            )
            .QuickCheckThrowOnFailure();

    private static (List<string> Events, TimeSpan? Retry, string Id, bool IsWithin) Read(IEnumerable<byte[]> chunks)
    {
        var reader = new EventReader(1 << 20);
        var events = new List<string>();
        foreach (var chunk in chunks)
        {
            chunk.CopyTo(reader.GetFreeMemory().Span);
            reader.Advance(chunk.Length);
            while (reader.TryRead(out var kind))
            {
                if (kind == EventKind.Event)
                {
                    var type = reader.Type.Length == 0 ? "message" : reader.Type;
                    events.Add($"{type}|{Encoding.UTF8.GetString(reader.Data.Span)}|{reader.DispatchedId}");
                }
            }
        }

        return (events, reader.Retry, reader.DispatchedId, reader.IsWithinEvent);
    }
}
