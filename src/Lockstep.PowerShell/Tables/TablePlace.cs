using System.Management.Automation;
using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>A place where tables are looked up by name.</summary>
internal abstract class TablePlace
{
    /// <summary>All tables there, including those that cannot be read.</summary>
    public abstract IEnumerable<FoundTable> All();

    /// <summary>The table with that name, even if the name contains brackets; otherwise the tables that match it as a pattern.</summary>
    /// <exception cref="TableNotFoundException">There is none.</exception>
    public abstract IReadOnlyList<FoundTable> ByName(string name);

    /// <summary>The table to use when none is named.</summary>
    /// <exception cref="TableNotFoundException">There is none, or there are several.</exception>
    public abstract FoundTable Only();
}

/// <summary>The session, and the table files of the current location.</summary>
internal sealed class LocalTables(PathIntrinsics paths, CancellationToken stop) : TablePlace
{
    public override IEnumerable<FoundTable> All() => TableLookup.Files(paths).Select(OfFile);

    public override IReadOnlyList<FoundTable> ByName(string name) => [.. TableLookup.ByName(paths, name, stop).Select(OfFile)];

    public override FoundTable Only() => OfFile(TableLookup.Only(paths, stop));

    private FoundTable OfFile(string path) => FoundTable.OfFile(path, stop);
}
