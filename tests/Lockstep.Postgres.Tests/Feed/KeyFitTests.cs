using Lockstep.Engine.Serving;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

/// <summary>The server refuses a key that no client can hold, instead of each client refusing each row.</summary>
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
    public async Task A_row_whose_key_is_a_number_that_JSON_does_not_have_is_left_out_and_the_others_go_on(string type, string value)
    {
        await using var items = await TableCase.MakeAsync(postgres, $"CREATE TABLE items (id {type} PRIMARY KEY, v int)");
        await items.Db.RunAsync($"INSERT INTO items VALUES (1, 1), ('{value}', 1), (2.5, 1)");
        await items.ServeAsync();
        await items.CatchUpAsync();
        Assert.Equal(["1", "2.5"], items.Client.Rows.Keys);

        await items.Db.RunAsync($"UPDATE items SET v = 2 WHERE id = '{value}'; INSERT INTO items VALUES (4, 1)");
        await items.CatchUpAsync();
        Assert.Equal(["1", "2.5", "4"], items.Client.Rows.Keys);
        Assert.InRange(items.Feed.LeftOut.Count, 2, 4);
        Assert.Equal($"{{\"id\":\"{value}\"}}: Its key is {value}, and JSON has no such number.", items.Feed.LeftOut.Last);
        Assert.Contains(items.Client.Lines, line => line.Contains("\"row_left_out\"", StringComparison.Ordinal));
        Assert.Null(items.Feed.Error);

        // It gets a key that clients can hold, and another table loses it.
        await items.Db.RunAsync($"UPDATE items SET id = 3 WHERE id = '{value}'; UPDATE items SET id = '{value}' WHERE id = 1");
        await items.CatchUpAsync();
        Assert.Equal(["2.5", "3", "4"], items.Client.Rows.Keys);
        await items.Db.RunAsync($"DELETE FROM items WHERE id = '{value}'");
        await items.CatchUpAsync();
        Assert.Equal(["2.5", "3", "4"], items.Client.Rows.Keys);
    }
}
