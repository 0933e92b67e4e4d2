using System.Management.Automation;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Parameters;
using Lockstep.Postgres.Tables;

namespace Lockstep.Tables;

/// <summary>The tables in a PostgreSQL database, shared by many machines.</summary>
internal sealed class SharedTables : TablePlace
{
    private readonly PostgresTableStore _store;

    /// <param name="connectionString">The database.</param>
    /// <param name="notify">Called when a watcher loses its connection; from any thread.</param>
    /// <param name="stop">Ends each read within a second.</param>
    /// <exception cref="InvalidOptionException">The connection string cannot be parsed; the message does not repeat it (I9).</exception>
    public SharedTables(string connectionString, Action<string>? notify = null, CancellationToken stop = default) =>
        _store = new PostgresTableStore(PostgresTables.Connection(connectionString)) { WarningsTo = notify, Stop = stop };

    /// <summary>The database as a store of tables.</summary>
    public TableStore Store => _store;

    public override IEnumerable<FoundTable> All() => _store.Find().Select(Found);

    public override IReadOnlyList<FoundTable> ByName(string name) =>
        WildcardPattern.ContainsWildcardCharacters(name)
        && TableNames.Matching(name, _store.Find(), static table => table.Name) is { Count: > 0 } found
            ? [.. found.Select(Found)]
            : [Found(_store.Get(name))];

    public override FoundTable Only() =>
        _store.Find() switch
        {
            [var only] => Found(only),
            [] => throw new TableNotFoundException(
                "",
                $"There is no table in {_store.Description}.",
                "Make one with Sync-LockstepTable -ConnectionString."
            ),
            var all => throw new TableNotFoundException(
                "",
                "There are several tables.",
                $"Name one with -Table: {string.Join(", ", all.Select(table => table.Name))}."
            ),
        };

    private FoundTable Found(PostgresTable table) => new(table, _store);
}
