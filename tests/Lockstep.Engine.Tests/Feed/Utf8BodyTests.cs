using System.IO.Compression;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Feed;

/// <summary>A body is decoded by its bytes, whatever its head says, and classified by how it starts, whatever precedes that.</summary>
[Trait("Invariant", "I7")]
public sealed class Utf8BodyTests : SyncTest
{
    private const string List = """[{"id":1,"name":"é"},{"id":2,"name":"日本"}]""";

    public static TheoryData<string> Forms =>
        [
            "plain",
            "blank",
            "bom",
            "bom blank",
            "guard",
            "guard comma",
            "bom guard",
            "loop",
            "gzip",
            "gzip bom",
            "utf-16",
            "utf-16be",
            "utf-16 bom",
            "utf-16be bom",
            "utf-32 bom",
            "utf-32be bom",
        ];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task An_array_is_a_list_in_each_form_whatever_becomes_of_malformed_records(string form)
    {
        await using var server = new RawServer(exchange => exchange.BodyAsync(Write(List, form)));

        var run = await SyncRun.ToEndAsync(Options(server, malformed: MalformedRecordPolicy.Quarantine));

        Assert.Equal((2, 0, 0, true), (run.Result.Added, run.Result.Malformed, run.Result.Quarantined, run.Result.IsComplete));
        Assert.Equal(["""{"id":1,"name":"é"}""", """{"id":2,"name":"日本"}"""], SyncRun.Read(TablePath).Values);
    }

    [Theory]
    [InlineData("bom")]
    [InlineData("gzip")]
    [InlineData("utf-16")]
    [InlineData("utf-16 bom")]
    [InlineData("utf-16be bom")]
    [InlineData("utf-32 bom")]
    public async Task A_feed_of_records_is_one_in_each_form_and_wherever_it_is_cut_into_pieces(string form)
    {
        var body = Write(Record(1, 1, ",\"name\":\"é\"") + Record(2, 2, ",\"name\":\"日本\""), form);
        await using var server = new RawServer(async exchange =>
        {
            await exchange.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n");
            await exchange.SendAsync(body[..exchange.Number]);
            await Task.Yield();
            await exchange.SendAsync(body[exchange.Number..]);
        });
        for (var cut = 1; cut < 12; cut++)
        {
            var run = await SyncRun.ToEndAsync(Options(server, resync: cut > 1));

            Assert.Equal((2, 0, true), (run.Result.Received, run.Result.Malformed, run.Result.IsComplete));
            Assert.Equal("""{"id":2,"updated_at":2,"deleted_at":null,"name":"日本"}""", SyncRun.Read(TablePath)["2"]);
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("utf-16 bom")]
    public async Task One_that_is_cut_is_not_whole_however_it_is_written(string form)
    {
        var body = Write(Record(1, 1) + Record(2, 2), form);
        await using var server = new RawServer(exchange => exchange.BodyAsync(exchange.Number == 1 ? body : body[..^3]));

        await SyncRun.ToEndAsync(Options(server));
        await SyncRun.ToErrorAsync<FeedCutException>(Options(server, resync: true));

        Assert.Equal(["1", "2"], Keys);
    }

    [Fact]
    public async Task A_table_of_records_whose_feed_turns_into_an_array_keeps_what_it_has_and_says_so()
    {
        await using var server = RawServer.WithBodies(Record(1, 1) + Record(2, 2), """[{"id":1,"updated_at":3,"deleted_at":null}]""");

        await SyncRun.ToEndAsync(Options(server));
        (var error, _) = await SyncRun.ToErrorAsync<NotAFeedException>(
            Options(server, resync: true, malformed: MalformedRecordPolicy.Quarantine)
        );

        Assert.Contains("JSON array", error.Message);
        Assert.Equal((2, 0), (Info.Rows, Info.Quarantined));
    }

    [Fact]
    public async Task A_line_that_happens_to_begin_with_a_bracket_is_set_aside_like_any_other()
    {
        await using var server = RawServer.WithBodies("[info] starting\n" + Record(1, 1));

        var run = await SyncRun.ToEndAsync(Options(server, malformed: MalformedRecordPolicy.Quarantine));

        Assert.Equal((1, 1), (run.Result.Added, run.Result.Quarantined));
    }

    [Fact]
    public async Task Record_separators_of_json_sequences_are_no_records()
    {
        await using var server = RawServer.WithBodies("\u001e" + Record(1, 1) + "\u001e" + Record(2, 2));

        var run = await SyncRun.ToEndAsync(Options(server));

        Assert.Equal((2, 0), (run.Result.Added, run.Result.Malformed));
    }

    private static byte[] Write(string text, string form)
    {
        text =
            form.EndsWith("guard", StringComparison.Ordinal) ? ")]}'\n" + text
            : form == "guard comma" ? ")]}',\n" + text
            : form == "loop" ? "for(;;);" + text
            : form.EndsWith("blank", StringComparison.Ordinal) ? " \r\n\n\t" + text
            : text;
        var encoding = form.Split(' ')[0] switch
        {
            "utf-16" => new UnicodeEncoding(bigEndian: false, byteOrderMark: true),
            "utf-16be" => new UnicodeEncoding(bigEndian: true, byteOrderMark: true),
            "utf-32" => new UTF32Encoding(bigEndian: false, byteOrderMark: true),
            "utf-32be" => new UTF32Encoding(bigEndian: true, byteOrderMark: true),
            _ => Encoding.UTF8,
        };
        byte[] bytes = [.. form.Contains("bom", StringComparison.Ordinal) ? encoding.GetPreamble() : [], .. encoding.GetBytes(text)];
        if (!form.StartsWith("gzip", StringComparison.Ordinal))
            return bytes;
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(bytes);
        return packed.ToArray();
    }
}
