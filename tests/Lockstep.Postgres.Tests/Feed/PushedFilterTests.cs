using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>
/// The part of a filter that the database evaluates makes no difference to what a client gets, only to what is read for it.
/// </summary>
public sealed class PushedFilterTests(SharedPostgres postgres)
{
    private const string Rows = """
        CREATE TABLE items (id int PRIMARY KEY, i bigint, n numeric(10, 3), f float8, s text, v varchar(20), c char(4), b boolean,
            u uuid, j jsonb,
            d date, "Odd ""name" text);
        INSERT INTO items VALUES
            (1, 1, 1.500, 1.5, 'one', 'one', 'one', true, '0000000a-0000-0000-0000-000000000001', '1', '2030-01-01', 'x'),
            (2, 2, 'NaN', 'NaN', 'two', 'two', 'two', false, '0000000a-0000-0000-0000-000000000002', 'null', NULL, 'y'),
            (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
            (4, 9223372036854775807, -0.001, 'Infinity', '', 'Ä', '', true, NULL, '"one"', '2030-01-02', ''),
            (5, -5, 1234567.891, 0, 'One', 'one ', 'one', NULL, '0000000a-0000-0000-0000-000000000003', '{"a":1}', 'infinity', 'x''y"z')
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string, bool> Columns =>
        new MatrixTheoryData<string, bool>([.. "id i n f s v c b u j d".Split(' '), "\"Odd \\\"name\""], [false, true]);

    [Theory]
    [MemberData(nameof(Columns))]
    public async Task A_filter_means_the_same_whoever_decides_it(string column, bool isView)
    {
        await using var items = await MakeAsync(isView);
        await items.ServeAsync();
        var all = await ReadAsync(items.Feed, null);
        string[] values =
        [
            "1",
            "1.5",
            "1.50",
            "-5",
            "9223372036854775807",
            "9223372036854775808",
            "1e400",
            "15e-1",
            "true",
            "false",
            "null",
            "one",
            "\"\"",
            "\"One\"",
            "\"\\u0000\"",
            "\"Ä\"",
            "\"x'y\\\"z\"",
            "\"NaN\"",
            "\"1\"",
            "\"0000000a-0000-0000-0000-000000000002\"",
            "\"0000000A-0000-0000-0000-000000000002\"",
            "\"2030-01-01\"",
        ];
        foreach (var value in values)
        {
            foreach (var comparison in new[] { "=", "!=", "<", "<=", ">", ">=" })
            {
                FeedFilter? filter;
                try
                {
                    filter = FeedFilter.Parse([], [$"{column}{comparison}{value}"]);
                }
                catch (FeedFilterException)
                {
                    continue;
                }

                var pushed = await ReadAsync(items.Feed, filter);
                Assert.Equal((column, comparison, value, Filtered(filter!, all)), (column, comparison, value, Filtered(filter!, pushed)));
            }
        }
    }

    /// <summary>A tracked table, or a view by its own columns, which has no key to page by.</summary>
    private Task<TableCase> MakeAsync(bool isView) =>
        TableCase.MakeAsync(
            postgres,
            isView
                ? Rows.Replace(" items", " base", StringComparison.Ordinal)
                    + "; CREATE VIEW items AS SELECT *, 1::bigint AS txid, id = 0 AS deleted FROM base"
                : Rows,
            track: !isView
        );

    [Theory]
    [InlineData("id=3", 1)]
    [InlineData("i>=2", 2)]
    [InlineData("n<1.5", 1)]
    [InlineData("s=one", 1)]
    [InlineData("s!=one", 4)]
    [InlineData("v=null", 1)]
    [InlineData("b=true", 2)]
    [InlineData("u=0000000a-0000-0000-0000-000000000002", 1)]
    [InlineData("f=1.5", 5)]
    public async Task Rows_that_cannot_fit_are_not_read(string where, int rows)
    {
        await using var view = await MakeAsync(isView: true);
        await view.ServeAsync();
        var filter = FeedFilter.Parse([], [where]);
        Assert.Equal(rows, (await ReadAsync(view.Feed, filter)).Count(line => !line.Contains("control", StringComparison.Ordinal)));
        await using var items = await MakeAsync(isView: false);
        await items.ServeAsync();
        Assert.Equal(rows, (await ReadAsync(items.Feed, filter)).Count);
        var page = await items.Feed.ReadPageAsync(new SnapshotPageRequest(null, null, null) { Filter = filter }, Cancel);
        Assert.Equal(rows, page.Lines.Sum(piece => piece.Span.Count((byte)'\n')));
    }

    [Fact]
    public async Task Pages_of_a_filtered_snapshot_follow_one_another()
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            "CREATE TABLE items (id int PRIMARY KEY, s text); INSERT INTO items SELECT g, repeat('x', 2000) || g % 3 FROM "
                + "generate_series(1, 3000) g"
        );
        await items.ServeAsync();
        var rows = await ReadAsync(items.Feed, FeedFilter.Parse([], [$"s={new string('x', 2000)}1"]));
        Assert.Equal(1000, rows.Distinct().Count());
        Assert.Equal(1000, rows.Count);
    }

    private static string Filtered(FeedFilter filter, List<string> rows)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var row in rows.Select(row => Regex.Replace(row, "\"current_xmin\":[0-9]+", "\"current_xmin\":9")))
            filter.Write(Encoding.UTF8.GetBytes(row), ["id"], isNew: true, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static async Task<List<string>> ReadAsync(PostgresFeed feed, FeedFilter? filter)
    {
        var rows = new List<string>();
        var reading = await feed.OpenAsync(new FeedRequest(0, null, TimeSpan.FromSeconds(10)) { Filter = filter }, Cancel);
        await foreach (var chunk in reading.Chunks.WithCancellation(Cancel))
        {
            rows.AddRange(Encoding.UTF8.GetString(chunk.Lines.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries));
            if (chunk.Kind == FeedChunkKind.SnapshotCompleted)
                break;
        }

        return rows;
    }
}
