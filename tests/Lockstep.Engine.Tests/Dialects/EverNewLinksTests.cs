using Lockstep.Engine.Feed;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A server whose pages link to ever new ones is followed as long as they bring something new, and no further.</summary>
public sealed class EverNewLinksTests : DialectTest
{
    /// <summary>From here on such a server gives up, so that a reader without a bound ends too.</summary>
    private const int Last = 400;

    private static string Link(int number) => number < Last ? $"Link: </items?after={number}>; rel=\"next\"\r\n" : "";

    [Theory]
    // The same pages in turn, and items from a few, in ever different order.
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_that_bring_only_what_came_before_end_as_an_error(bool isMixed)
    {
        var random = new Random(3);
        await using var server = Serve(
            (_, number) =>
            {
                int Id(int i) => isMixed ? random.Next(30) : (number % 3 * 10) + i;
                var items = Enumerable.Range(0, 10).Select(i => $$"""{"id":{{Id(i)}}}""");
                return Json($"[{string.Join(',', items)}]", Link(number));
            }
        );

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "items", "Rest"));

        Assert.Contains("only what had come before", error.Message, StringComparison.Ordinal);
        Assert.Contains("Next", error.Remedy!.ToString(), StringComparison.Ordinal);
        Assert.InRange(server.Requests.Count, 100, 250);
    }

    [Fact]
    public async Task So_do_those_of_a_delta_query()
    {
        await using var server = Serve(
            (_, number) =>
                Json(
                    number < Last
                        ? $$"""{"value":[{"id":"a"},{"id":"b"}],"@odata.nextLink":"/users/delta?$skiptoken={{number}}"}"""
                        : """{"value":[],"@odata.deltaLink":"/users/delta?$deltatoken=1"}"""
                )
        );

        (var error, _) = await SyncRun.ToErrorAsync<DialectException>(Dialect(server, "users/delta", "ODataDelta"));

        Assert.Contains("only what had come before", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_long_list_is_read_to_its_end_though_parts_of_it_come_twice()
    {
        // Pages of one record, which for 98 pages is one of the same two.
        await using var server = Serve((_, number) => Json($$"""[{"id":{{number - (number % 98) + (number % 2)}}}]""", Link(number)));

        await SyncRun.ToEndAsync(Dialect(server, "items", "Rest"));

        Assert.Equal((Last, 10), (server.Requests.Count, (int)Info.Rows));
    }
}
