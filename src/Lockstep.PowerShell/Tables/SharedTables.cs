using System.Management.Automation;
using Lockstep.Commands;
using Lockstep.Engine.Tables;
using Lockstep.Errors;
using Lockstep.Postgres.Tables;
using Lockstep.Records;
using Lockstep.Servers;

namespace Lockstep.Tables;

/// <summary>Tables that are kept in PostgreSQL for many machines to share.</summary>
internal static class SharedTables
{
    /// <summary>Where a sync keeps its table; null for a file.</summary>
    /// <exception cref="InvalidOptionException">A file is named as well, or the connection string cannot be read.</exception>
    public static PostgresTableStore? Store(string? connectionString, bool namesFile, bool everyVersion)
    {
        if (connectionString is null)
            return null;
        if (namesFile)
            throw new InvalidOptionException("The table can be in a file or in a database.", "Use -ConnectionString, or -Disk, -Path or -LiteralPath.");
        if (everyVersion)
            throw new InvalidOptionException("A table in PostgreSQL gets the newest version of each record in a commit.", "Use -PassThru instead of -EveryChange.");
        return new PostgresTableStore(PostgresTables.Connection(connectionString));
    }

    /// <summary>Puts out the records of tables by name or pattern; of the only table where none is named.</summary>
    public static void Read(GetLockstepRecordCommand cmdlet, string connectionString, string[] names, RecordQuery query, Action<Action> attempt)
    {
        var store = new PostgresTableStore(PostgresTables.Connection(connectionString));
        foreach (var name in names.Length > 0 ? names : [""])
        {
            attempt(() =>
            {
                foreach (var table in Find(store, name))
                    attempt(() => Read(cmdlet, table, query));
            });
        }
    }

    private static void Read(GetLockstepRecordCommand cmdlet, PostgresTable table, RecordQuery query)
    {
        if (cmdlet.PagingParameters.IncludeTotalCount)
            cmdlet.WriteObject(cmdlet.PagingParameters.NewTotalCount((ulong)table.Count(query), accuracy: 1));

        using var scan = table.Read(query);
        RecordOutput.Write(
            cmdlet, scan, cmdlet.Raw ? null : new RecordObjects(table.Name, cmdlet.WriteWarning, cmdlet.Property), tellsState: cmdlet.IncludeDeleted || cmdlet.Since is not null);
    }

    private static IReadOnlyList<PostgresTable> Find(PostgresTableStore store, string name)
    {
        if (name.Length > 0 && !WildcardPattern.ContainsWildcardCharacters(name))
            return [store.Get(name)];

        var all = store.Find();
        if (name.Length > 0)
            return [.. all.Where(table => WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(table.Name))];
        return all is [var only] ? [only] : throw new TableNotFoundException(
            "", all.Count == 0 ? $"There is no table in {store.Description}." : "There are several tables.",
            all.Count == 0 ? "Make one with Sync-LockstepTable -ConnectionString." : $"Say which one with -Table: {string.Join(", ", all.Select(table => table.Name))}.");
    }
}
