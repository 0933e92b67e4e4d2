using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>A table that a user means, wherever it is kept.</summary>
/// <param name="Table">The table.</param>
/// <param name="Location">The file's full path, or the database in words.</param>
/// <param name="Store">The database; null for a file.</param>
internal sealed record FoundTable(ITable Table, string Location, TableStore? Store = null)
{
    public static FoundTable OfFile(string path) => new(new Table(path), path);

    /// <summary>What a user calls it: the name of a table of the session, the place of another.</summary>
    public string DisplayName => SessionName ?? Location;

    private string? SessionName => Store is null ? SessionTables.Names.FirstOrDefault(name => SessionTables.Find(name) == Location) : null;

    /// <summary>What the table says of itself.</summary>
    public TableInfo Describe() => Describe(Table.GetInfo());

    /// <summary>What it said of itself.</summary>
    public TableInfo Describe(Engine.Tables.TableInfo info) => info.ToModel(isSession: SessionName is not null);
}
