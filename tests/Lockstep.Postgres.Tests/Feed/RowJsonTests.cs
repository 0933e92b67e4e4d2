using System.Text.Json;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Feed;

public sealed class RowJsonTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("bigint", "9223372036854775807", "9223372036854775807")]
    [InlineData("numeric", "123456789012345678901234567890.1230", "123456789012345678901234567890.1230")]
    [InlineData("numeric", "'NaN'", "\"NaN\"")]
    [InlineData("double precision", "0.1", "0.1")]
    [InlineData("numeric", "'-Infinity'", "\"-Infinity\"")]
    [InlineData("double precision", "'-Infinity'", "\"-Infinity\"")]
    [InlineData("real", "'1e-45'", "1e-45")]
    [InlineData("boolean", "true", "true")]
    [InlineData("text", "E'a\"b\\n\\u00e9\\U0001F600'", "\"a\\\"b\\né😀\"")]
    [InlineData("timestamptz", "'2024-03-01 12:00:00.5+02'", "\"2024-03-01T10:00:00.5+00:00\"")]
    [InlineData("timestamp", "'2024-03-01 12:00'", "\"2024-03-01T12:00:00\"")]
    [InlineData("timestamptz", "'infinity'", "\"infinity\"")]
    [InlineData("timestamptz", "'4713-01-01 00:00 BC'", "\"4713-01-01T00:00:00+00:00 BC\"")]
    [InlineData("timestamp", "'294276-12-31 23:59:59.999999'", "\"294276-12-31T23:59:59.999999\"")]
    [InlineData("date", "'2024-03-01'", "\"2024-03-01\"")]
    [InlineData("date", "'0044-03-15 BC'", "\"0044-03-15 BC\"")]
    [InlineData("timetz", "'10:00:00.123456+05:30'", "\"10:00:00.123456+05:30\"")]
    [InlineData("char(5)", "'ab'", "\"ab   \"")]
    [InlineData("interval", "'1 day 2 hours'", "\"P1DT2H\"")]
    [InlineData("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"")]
    [InlineData(
        "bytea",
        "decode(repeat('00ff', 40), 'hex')",
        "\"AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=\""
    )]
    [InlineData("bytea[]", "ARRAY['\\x01'::bytea, NULL, '\\x02ff']", "[\"AQ==\",null,\"Av8=\"]")]
    [InlineData("bytea[]", "NULL", "null")]
    [InlineData("bytea[]", "'{}'", "[]")]
    [InlineData("bytea[]", "'{{\"\\\\x01\",NULL},{\"\\\\x\",\"\\\\x02ff\"}}'", "[[\"AQ==\",null],[\"\",\"Av8=\"]]")]
    [InlineData(
        "bytea[]",
        "ARRAY[[[decode(repeat('00ff', 40), 'hex')]]]",
        "[[[\"AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=\"]]]"
    )]
    [InlineData("int[]", "'{{1,2},{3,NULL}}'", "[[1,2],[3,null]]")]
    [InlineData("int[]", "'[0:1][5:6]={{1,2},{3,4}}'", "[[1,2],[3,4]]")]
    [InlineData("text[]", "'{}'", "[]")]
    [InlineData("jsonb", "'1234567890123456789012345678901234567890.12345'", "1234567890123456789012345678901234567890.12345")]
    [InlineData("nummultirange", "'{[1,2),[3,4)}'", "\"{[1,2),[3,4)}\"")]
    [InlineData("xid8", "'18446744073709551615'", "\"18446744073709551615\"")]
    [InlineData("jsonb", "'{\"b\": 1, \"a\": [1.50]}'", "{\"a\": [1.50], \"b\": 1}")]
    [InlineData("json", "E'{\"b\": 1,\\r\\n \"a\": \"x\\\\ny\"}'", "{\"b\": 1,   \"a\": \"x\\ny\"}")]
    [InlineData("int4range", "'[1,5]'", "\"[1,6)\"")]
    [InlineData("tstzrange", "'[2024-03-01 12:00+02,)'", "\"[\\\"2024-03-01 10:00:00+00\\\",)\"")]
    [InlineData("inet", "'10.0.0.1'", "\"10.0.0.1\"")]
    [InlineData("point", "'(1,2)'", "\"(1,2)\"")]
    [InlineData("money", "12.5", "\"$12.50\"")]
    [InlineData("xml", "'<a/>'", "\"<a/>\"")]
    [InlineData("bit varying", "B'101'", "\"101\"")]
    [InlineData("tsvector", "'a b'", "\"'a' 'b'\"")]
    [InlineData("aclitem", "'lockstep=r/lockstep'", "\"lockstep=r/lockstep\"")]
    [InlineData("mood", "'so-so'", "\"so-so\"")]
    [InlineData("small", "7", "7")]
    [InlineData("secret", "'\\x00'", "\"AA==\"")]
    [InlineData("pair", "ROW(1, 'x')", "{\"a\":1,\"b\":\"x\"}")]
    [InlineData("int", "NULL", "null")]
    public async Task A_value_becomes_its_natural_json(string type, string value, string json)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TYPE mood AS ENUM ('so-so'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE DOMAIN inner_secret AS bytea;"
                + "CREATE DOMAIN secret AS inner_secret; CREATE TYPE pair AS (a int, b text);"
                + $"CREATE TABLE t (id int PRIMARY KEY, v {type}, txid bigint, deleted boolean); INSERT INTO t VALUES (1, "
                + $"{value}, 0, false)"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "t") },
            cancellationToken: Cancel
        );
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == Engine.Serving.FeedChunkKind.SnapshotCompleted, Cancel);
        using var row = JsonDocument.Parse(Assert.Single(follower.Lines));
        Assert.Equal(json, row.RootElement.GetProperty("data").GetProperty("v").GetRawText());
    }

    [Fact]
    public async Task A_column_may_be_called_like_anything()
    {
        string[] names =
        [
            "d",
            "r",
            "c",
            "data",
            "deleted",
            "key0",
            "live",
            "gone",
            "xid",
            "tableoid2",
            "updated_at",
            "deleted_at",
            "Two Words",
            "q\"uote",
            "e",
            "parts",
            "at",
        ];
        var columns = string.Join(
            ", ",
            names.Select((n, i) => $"{Sql.Quote(n)} {(i == 0 ? "int PRIMARY KEY" : n == "e" ? "bytea[]" : "text")}")
        );
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync($"CREATE TABLE t ({columns})");
        await PostgresTracking.EnableAsync(db.ConnectionString, new TableName(null, "t"), cancellationToken: Cancel);
        await db.RunAsync(
            $"INSERT INTO t VALUES ({string.Join(", ", names.Select((n, i) => i == 0 ? "1" : n == "e" ? "'{{a},{b}}'" : "'x'"))})"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "t") },
            cancellationToken: Cancel
        );
        var follower = new Follower(feed, "d");
        await follower.ReadAsync(chunk => chunk.Kind == Engine.Serving.FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(names.Order(StringComparer.Ordinal), Names(Assert.Single(follower.Rows.Values)).Order(StringComparer.Ordinal));
        await db.RunAsync("UPDATE t SET d = 2, deleted = 'is data of a tracked table'");
        await follower.ReadAsync(_ => follower.Rows.ContainsKey("2"), Cancel);
        Assert.Contains("is data", Assert.Single(follower.Rows.Values), StringComparison.Ordinal);

        static IEnumerable<string> Names(string json)
        {
            using var row = JsonDocument.Parse(json);
            return [.. row.RootElement.EnumerateObject().Select(member => member.Name)];
        }
    }

    [Fact]
    public async Task Bookkeeping_columns_are_no_data()
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        await db.RunAsync(
            "CREATE TABLE base (id int, txid bigint, deleted boolean); INSERT INTO base VALUES (1, 5, false), (2, 6, true), (3, 7, NULL);"
                + "CREATE VIEW t AS SELECT *, txid_snapshot_xmin(txid_current_snapshot()) AS current_xmin FROM base"
        );
        await using var feed = await PostgresFeed.StartAsync(
            db.ConnectionString,
            new PostgresFeedOptions { Table = new TableName(null, "t") },
            cancellationToken: Cancel
        );
        var follower = new Follower(feed);
        await follower.ReadAsync(chunk => chunk.Kind == Engine.Serving.FeedChunkKind.SnapshotCompleted, Cancel);
        Assert.Equal(["{\"id\":1}", "{\"id\":3}"], follower.Rows.Values);
    }
}
