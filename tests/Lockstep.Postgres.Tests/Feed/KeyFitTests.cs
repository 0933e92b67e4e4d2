using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>A key that no client can hold is refused by the server, instead of each row by each client.</summary>
public sealed class KeyFitTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("boolean")]
    [InlineData("jsonb")]
    [InlineData("int[]")]
    [InlineData("pair")]
    [InlineData("yes")]
    public async Task A_key_that_is_neither_text_nor_number_is_refused_when_serving_and_tracking(string type)
    {
        await using var items = await TableCase.MakeAsync(
            postgres,
            $"CREATE TYPE pair AS (a int, b int); CREATE DOMAIN yes AS boolean; CREATE TABLE items (part int, k {type}, "
                + $"txid bigint, deleted boolean, PRIMARY KEY (part, k))",
            track: false
        );
        var refused = await Assert.ThrowsAsync<PostgresTableException>(() => items.ServeAsync());
        Assert.Contains(
            $"key column k of items is of type {(type == "int[]" ? "integer[]" : type)}",
            refused.Message,
            StringComparison.Ordinal
        );
        await Assert.ThrowsAsync<PostgresTableException>(() =>
            PostgresTracking.PlanEnableAsync(items.Db.ConnectionString, TableCase.Items, cancellationToken: Cancel)
        );
    }

    [Theory]
    [InlineData("numeric", "NaN")]
    [InlineData("numeric", "Infinity")]
    [InlineData("float8", "-Infinity")]
    [InlineData("real", "NaN")]
    public async Task A_number_that_JSON_does_not_have_stops_the_feed_as_long_as_it_is_a_key(string type, string value)
    {
        await using var items = await TableCase.MakeAsync(postgres, $"CREATE TABLE items (id {type} PRIMARY KEY)");
        await items.ServeAsync();
        await items.Db.RunAsync("INSERT INTO items VALUES (1), (2.5)");
        await items.CatchUpAsync();
        await items.Db.RunAsync($"INSERT INTO items VALUES ('{value}')");
        await Eventually.TrueAsync(() => items.Feed.Error is PostgresTableException);
        Assert.Contains($"has {value} in its key column id", items.Feed.Error!.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<FeedUnavailableException>(async () => await items.Feed.GetStateAsync(Cancel));

        await items.Db.RunAsync("UPDATE items SET id = 3 WHERE id = 'Infinity' OR id = 'NaN' OR id = '-Infinity'");
        await items.Db.RunAsync($"DELETE FROM lockstep.\"public.items\"");
        await Eventually.TrueAsync(() => items.Feed.Error is null);
        await items.CatchUpAsync();
        Assert.Equal(3, items.Client.Rows.Count);
    }
}
