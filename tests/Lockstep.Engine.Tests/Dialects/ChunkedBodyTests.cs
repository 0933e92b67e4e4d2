using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Framing;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Framing;
using Lockstep.Engine.Tests.Sync;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>The same bytes give the same table, whatever chunks they come in.</summary>
public sealed class ChunkedBodyTests : DialectTest
{
    private const string Pods =
        """{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"uid":"a","é":"}]\""}},"""
        + """{"metadata":{"uid":"b"}}]}"""
        + "\n";

    private const string Watch =
        """{"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"uid":"a","resourceVersion":"6","n":"😀 \\\" } {"}}}"""
        + "\n"
        + """{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"""
        + "\r\n\n"
        + """{"type":"DELETED","object":{"metadata":{"uid":"b","resourceVersion":"8"}}}"""
        + "\n"
        + """{"type":"ADDED","object":{"kind":"Pod","metadata":{"uid":"c","resourceVersion":"9"}}}"""
        + "\n";

    private const string Bookmark = """{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}""" + "\n";

    private const string Rows =
        "{\"results\":[\n"
        + """{"seq":"1-a","id":"a","changes":[{"rev":"1-x"}],"doc":{"_id":"a","s":"],\"last_seq\":\"9\""}}"""
        + ",\r\n"
        + """{"seq":"2-b","id":"b","changes":[{"rev":"2-x"}],"deleted":true,"doc":{"_id":"b","_deleted":true}}"""
        + "\n],\n\"last_seq\":\"2-b\",\"pending\":0}\n";

    private const string Continuous =
        "\n"
        + """{"seq":"3-c","id":"c","changes":[],"doc":{"_id":"c","n":1.50}}"""
        + "\n\n"
        + """{"seq":"4-d","id":"a","changes":[],"deleted":true,"doc":{"_id":"a","_deleted":true}}"""
        + "\n"
        + """{"seq":null,"id":"d","changes":[],"doc":{"_id":"d","s":"ü\u00fc"}}"""
        + "\n"
        + """{"seq":"9-e","id":"e","changes":[],"doc":{"_id":"e"}}"""
        + "\n";

    private const string Shape =
        """[{"headers":{"operation":"insert"},"key":"\"t\"/\"1\"","value":{"id":"1","n":"a"}}, """
        + """{"headers":{"operation":"insert"},"key":"\"t\"/\"2\"","value":{"id":"2","n":"ü ]"}},"""
        + """{"headers":{"operation":"update"},"key":"\"t\"/\"1\"","value":{"n":null}},"""
        + """{"headers":{"operation":"delete"},"key":"\"t\"/\"2\"","value":{}},{"headers":{"control":"up-to-date"}}]""";

    private const string Delta =
        "\uFEFF"
        + """{"@odata.context":"c","@odata.deltaLink":"/users/delta?t=1","value":[{"id":"a","x":1,"y":{"z":[]}} ,"""
        + """{"id":"b","@removed":{"reason":"deleted"}},{"id":"a","x":null}]}""";

    private const string Events =
        "\uFEFFretry: 5\r\n: ü\r\rid: 1\ndata: {\"id\":1,\ndata: \"v\":2}\r\n\r\nid: 2\ndata: [{\"id\":2},{\"id\":3}]\n\n"
        + "event: delete\rid: 3\rdata: {\"id\":2}\r\r";

    /// <summary>Each dialect: its address, and what is answered; the first answer whose part is in a request's address counts.</summary>
    public static TheoryData<string, string, string?, string[]> Feeds =>
        new()
        {
            {
                "Rest",
                "items",
                null,
                ["", "", """ {"a":{"items":[9]},"items" : [ {"id":1,"x":[1,{"y":"]}"}]} , {"id":2} ] , "total":2 } """]
            },
            { "Rest", "items", null, ["", "", """[{"id":"ü","n":1e400},{"id":"\u00fc2","n":-0.0}]"""] },
            { "ODataDelta", "users/delta", null, ["", "", Delta] },
            { "Kubernetes", "api/v1/pods", "9", ["Version=9", "", Bookmark, "watch=true", "", Watch, "", "", Pods] },
            {
                "CouchDb",
                "db/_changes",
                "9-e",
                ["since=9-e", "", "\n", "feed=continuous", "", Continuous, "_changes", "", Rows, "", "", "{}"]
            },
            { "Shape", "v1/shape?table=t", null, ["", "electric-handle: h\r\nelectric-offset: 0_1\r\n", Shape] },
            {
                "DurableStream",
                "log",
                null,
                ["", "Stream-Next-Offset: 1\r\nStream-Up-To-Date: true\r\n", """[{"id":1,"s":"[{"},{"id":2},{"id":1,"s":"é"}]"""]
            },
            { "EventStream", "events", null, ["", "Content-Type: text/event-stream\r\n", Events] },
        };

    [Theory]
    [MemberData(nameof(Feeds))]
    [Trait("Invariant", "I7")]
    public async Task Whatever_chunks_a_body_comes_in_the_table_is_the_same(string dialect, string path, string? until, string[] answers)
    {
        await using var server = Serve(
            (asked, _) =>
            {
                var at = 0;
                while (!asked.Contains(answers[at], StringComparison.Ordinal))
                    at += 3;
                return Status("200 OK", answers[at + 1], answers[at + 2]);
            }
        );
        var whole = await ReadAsync(int.MaxValue, 0);
        Assert.NotEmpty(whole.Rows);

        Assert.Equal(whole, await ReadAsync(1, 0));
        for (var seed = 0; seed < 12; seed++)
            Assert.Equal(whole, await ReadAsync(seed % 3 == 0 ? 60 : 9, seed));

        async Task<(string Rows, string Cursor)> ReadAsync(int longest, int seed)
        {
            var table = Folder($"{Guid.NewGuid():N}.db");
            var random = new Random(seed);
            var options = new SyncOptions
            {
                Feed = new FeedOptions
                {
                    Uri = new Uri(server.Root, path),
                    Tap = response => response.Content = new ChoppedContent(response.Content, longest, random),
                },
                Store = new FileTableStore(table),
                Foreign = DialectDescription.Load(dialect),
                Follow = until is not null,
                Settle = TimeSpan.FromMilliseconds(200),
                PollInterval = TimeSpan.FromMilliseconds(5),
                RetryInterval = TimeSpan.FromMilliseconds(5),
            };
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            limit.CancelAfter(Eventually.Deadline);
            await foreach (var step in new TableSync(options).RunAsync(limit.Token))
            {
                if (until is not null && Engine.Tables.Table.IsTable(table) && new Table(table).GetInfo().Cursor.ToString() == until)
                    break;
            }

            var rows = string.Join('\n', SyncRun.Read(table).Select(pair => pair.Value));
            return (rows, new Table(table).GetInfo().Cursor.ToString());
        }
    }

    /// <summary>Pieces of lists, from which the property builds them.</summary>
    private static readonly string[] Pieces =
    [
        """{"id":1}""",
        """{"s":"]}\"\\"}""",
        """{"a":[{"b":[]},{}],"ü😀":"é\u00e9"}""",
        "[[],{}]",
        "1.50e3",
        "\"t\"",
        "null",
        "true",
    ];

    [Fact]
    [Trait("Invariant", "I7")]
    public void Whatever_chunks_a_document_comes_in_its_items_and_what_surrounds_them_are_the_same() =>
        Prop.ForAll(
                Arb.From(Gen.Select(Gen.ArrayOf(Gen.Elements(Pieces)), items => string.Join(" ,\r\n", items))),
                ArbMap.Default.ArbFor<int>(),
                (items, seed) =>
                {
                    AssertSame($"[{items}]", null, seed);
                    AssertSame($$$"""{"first":{"items":[1]},"items":[ {{{items}}} ],"last_seq":"2-b","x":{"y":["]"]}}""", null, seed);
                    AssertSame($$""" {"value":[0],"data":{"list":[{{items}}]},"n":"ü"}""", "/data/list", seed);
                }
            )
            .QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("items", Pods)]
    [InlineData("results", Rows)]
    [InlineData("", Shape)]
    [InlineData("value", Delta)]
    [Trait("Invariant", "I7")]
    public void Wherever_a_document_is_cut_in_two_its_items_are_the_same(string items, string text)
    {
        // White space may follow the document; the page's reader takes it.
        var bytes = Encoding.UTF8.GetBytes(text.TrimEnd());
        var whole = Read(bytes, [bytes], items);
        for (var cut = 1; cut < bytes.Length; cut++)
            Assert.Equal(whole, Read(bytes, [bytes[..cut], bytes[cut..]], items));
    }

    [Theory]
    [InlineData(Watch)]
    [InlineData(Continuous)]
    [Trait("Invariant", "I7")]
    public void Wherever_lines_are_cut_in_two_they_are_the_same(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var whole = Frames.Of(text);
        Assert.Equal(4, whole.Count(frame => frame.Kind == FrameKind.Object));
        for (var cut = 1; cut < bytes.Length; cut++)
            Assert.Equal(whole, Frames.Read([bytes[..cut], bytes[cut..]]));
    }

    private static void AssertSame(string text, string? items, int seed)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var whole = Read(bytes, [bytes], items);
        Assert.True(whole.Count > 0);
        foreach (var chunks in Chunks.Of(bytes, seed))
            Assert.Equal(whole, Read(bytes, chunks, items));
    }

    /// <summary>The items, each with its place, and at the end what surrounds them.</summary>
    private static List<string> Read(byte[] bytes, IEnumerable<byte[]> chunks, string? items)
    {
        var reader = new DocumentReader(items is null ? null : Place.Parse(items), 1 << 20);
        var read = new List<string>();
        foreach (var chunk in chunks.Append([]))
        {
            chunk.CopyTo(reader.GetFreeMemory().Span);
            reader.Advance(chunk.Length);
            while (
                reader.Read(offset =>
                {
                    var item = reader.Item.Bytes.Span;
                    Assert.True(bytes.AsSpan((int)offset).StartsWith(item));
                    read.Add($"{offset} {Encoding.UTF8.GetString(item)}");
                    return true;
                })
            ) { }
        }

        Assert.True(reader.IsWhole && reader.HasItems);
        using var around = reader.Around();
        read.Add($"{reader.ItemsPlace} {around.RootElement.GetRawText()}");
        return read;
    }

    /// <summary>A body of which each read gives a few bytes.</summary>
    private sealed class ChoppedContent : HttpContent
    {
        private readonly HttpContent _inner;
        private readonly int _longest;
        private readonly Random _random;

        public ChoppedContent(HttpContent inner, int longest, Random random)
        {
            (_inner, _longest, _random) = (inner, longest, random);
            foreach (var (name, values) in inner.Headers)
                Headers.TryAddWithoutValidation(name, values);
        }

        protected override async Task<Stream> CreateContentReadStreamAsync() =>
            new ChoppedStream(await _inner.ReadAsStreamAsync(), _longest, _random);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _inner.CopyToAsync(stream, context);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _inner.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class ChoppedStream(Stream inner, int longest, Random random) : ReadOnlyStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var most = longest == int.MaxValue ? buffer.Length : Math.Min(buffer.Length, random.Next(1, longest + 1));
            return inner.ReadAsync(buffer[..most], cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
