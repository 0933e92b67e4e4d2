using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>A table that a user named, wherever it is kept.</summary>
/// <param name="Table">The table.</param>
/// <param name="Store">What keeps it.</param>
internal sealed record FoundTable(ITable Table, TableStore Store)
{
    /// <param name="path">The file's full path.</param>
    /// <param name="stop">Ends each reading within a second.</param>
    public static FoundTable OfFile(string path, CancellationToken stop = default) => new(new Table(path, stop), new FileTableStore(path));

    /// <summary>The file's full path, or a description of the database.</summary>
    public string Location => Store.Description;

    /// <summary>The file's full path; null for a table in a database.</summary>
    public string? File => (Store as FileTableStore)?.Path;

    /// <summary>What a user calls it: the name of a table of the session, the location of another.</summary>
    public string DisplayName => SessionName ?? Location;

    private string? SessionName => File is { } file ? SessionTables.NameOf(file) : null;

    /// <summary>What the table says of itself.</summary>
    public TableInfo Describe() => Describe(Table.GetInfo());

    /// <summary>What it said of itself.</summary>
    public TableInfo Describe(Engine.Tables.TableInfo info) => info.ToModel(isSession: SessionName is not null);
}
