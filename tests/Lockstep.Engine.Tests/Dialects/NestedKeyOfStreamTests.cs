using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>A key within the record of an event, as those of Wikimedia have it.</summary>
public sealed class NestedKeyOfStreamTests : DialectTest
{
    [Fact]
    public async Task It_is_the_records_key_and_a_column_of_the_view()
    {
        await using var server = Serve(
            (_, number) =>
                new Reply(
                    "200 OK",
                    "Content-Type: text/event-stream\r\n",
                    number == 1
                        ? "id: 1\ndata: {\"meta\":{\"id\":\"a\",\"n\":1},\"id\":7}\n\nid: 2\ndata: {\"meta\":{\"id\":\"b\"}}\n\n"
                        : "id: 3\ndata: {\"meta\":{\"id\":\"a\",\"n\":2}}\n\n" + "id: 4\nevent: delete\ndata: {\"meta\":{\"id\":\"b\"}}\n\n"
                )
        );
        SyncOptions Options(bool isNamed) =>
            Dialect(
                server,
                "stream",
                isNamed ? "EventStream" : null,
                o => new SyncOptions
                {
                    Feed = o.Feed,
                    Store = o.Store,
                    Foreign = o.Foreign,
                    KeyFields = isNamed ? ["/meta/id"] : null,
                    Settle = o.Settle,
                }
            );

        await SyncRun.ToEndAsync(Options(isNamed: true));
        Assert.Equal("a 1,b ", View());
        var second = await SyncRun.ToEndAsync(Options(isNamed: false));

        Assert.Equal(("0 1 1", "a 2"), (Counts(second), View()));
        Assert.Equal(["/meta/id"], Info.KeyFields);
        Assert.Equal(["a"], SyncRun.Read(TablePath, new RecordQuery { Filter = "\"/meta/id\" = 'a'" }).Keys);
        Assert.Contains("Last-Event-ID: 2", server.Requests.Last(), StringComparison.Ordinal);
    }

    private string View()
    {
        using var connection = new SqliteConnection($"Data Source={TablePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"""SELECT group_concat("/meta/id" || ' ' || ifnull(json_extract(meta, '$.n'), '')) FROM {Info.Name}""";
        return (string)command.ExecuteScalar()!;
    }
}
