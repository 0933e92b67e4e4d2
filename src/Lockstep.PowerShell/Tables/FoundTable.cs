using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>A table named by a user, wherever it is kept.</summary>
/// <param name="Table">The table.</param>
/// <param name="Store">Its store.</param>
internal sealed record FoundTable(ITable Table, TableStore Store)
{
    /// <param name="path">The file's full path.</param>
    /// <param name="stop">Ends each read within a second.</param>
    public static FoundTable OfFile(string path, CancellationToken stop = default) => new(new Table(path, stop), new FileTableStore(path));

    /// <summary>The file's full path, or a description of the database.</summary>
    public string Location => Store.Description;

    /// <summary>The file's full path; null for a table in a database.</summary>
    public string? File => (Store as FileTableStore)?.Path;

    /// <summary>The user's name for it: the name of a session table, the location of any other.</summary>
    public string DisplayName => SessionName ?? Location;

    private string? SessionName => File is { } file ? SessionTables.NameOf(file) : null;

    /// <summary>Reads the table's description.</summary>
    public TableInfo Describe() => Describe(Table.GetInfo());

    /// <summary>Converts a description already read.</summary>
    public TableInfo Describe(Engine.Tables.TableInfo info) => info.ToModel(isSession: SessionName is not null);
}
