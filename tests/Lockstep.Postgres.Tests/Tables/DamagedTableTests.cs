using Lockstep.Engine.Tables;
using Lockstep.Postgres.Tables;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Tables;

/// <summary>A table in a database may have been changed by hand: whoever meets that is told what it is and what to do.</summary>
public sealed class DamagedTableTests(SharedPostgres postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null)]
    [InlineData("id >= 0")]
    public async Task A_row_without_a_key_is_told(string? filter)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var table = await MakeAsync(db);
        var rows = TableSql.Rows(table.Id);
        await db.RunAsync($@"UPDATE {rows} SET key = '\x00' WHERE key = (SELECT key FROM {rows} WHERE gone = 0 ORDER BY key LIMIT 1)");
        using var scan = table.Read(new RecordQuery { Filter = filter });
        Assert.True(scan.Read());
        Told(Assert.Throws<TableDamagedException>(() => scan.Key));
        var watched = table.WatchAsync(since: 0, cancellationToken: Cancel).GetAsyncEnumerator(Cancel);
        await using (watched.ConfigureAwait(false))
            Told(await Assert.ThrowsAsync<TableDamagedException>(async () => await watched.MoveNextAsync()));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"cursor\": 5}")]
    [InlineData("{\"rows\": \"many\"}")]
    [InlineData("{\"keyFields\": [], \"keyKinds\": [\"x\"]}")]
    [InlineData("{\"lastSync\": \"yesterday\"}")]
    [InlineData("nothing")]
    public async Task A_table_whose_description_is_none_is_told(string state)
    {
        await using var db = await TestDatabase.CreateAsync(postgres);
        var table = await MakeAsync(db);
        await db.RunAsync($"UPDATE {TableSql.Directory} SET state = '{state}'");
        Told(Assert.Throws<TableDamagedException>(() => table.GetInfo()));
        Told(Assert.Throws<TableDamagedException>(() => table.Read()));
        Told(Assert.Throws<TableDamagedException>(() => table.Clear()));
    }

    private static async Task<PostgresTable> MakeAsync(TestDatabase db)
    {
        await db.RunAsync(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Tables", "Formats", "tables-1.sql"), Cancel));
        return new PostgresTableStore(db.ConnectionString).Get("servers");
    }

    private static void Told(TableDamagedException error)
    {
        Assert.Contains("The table 'servers'", error.Message, StringComparison.Ordinal);
        Assert.Contains("damaged", error.Message, StringComparison.Ordinal);
        Assert.Contains("backup", error.RecommendedAction, StringComparison.Ordinal);
    }
}
