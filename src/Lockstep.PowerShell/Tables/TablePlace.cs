using System.Management.Automation;
using Lockstep.Engine.Tables;

namespace Lockstep.Tables;

/// <summary>Where tables are looked for by name.</summary>
internal abstract class TablePlace
{
    /// <summary>All tables there.</summary>
    public abstract IEnumerable<FoundTable> All();

    /// <summary>The tables of a name, or of a pattern.</summary>
    /// <exception cref="TableNotFoundException">There is no table of that name. (A pattern may match none.)</exception>
    public abstract IReadOnlyList<FoundTable> ByName(string name);

    /// <summary>The table that is meant when none is named.</summary>
    /// <exception cref="TableNotFoundException">There is none, or there are several.</exception>
    public abstract FoundTable Only();
}

/// <summary>The session, and the table files of the current location.</summary>
internal sealed class LocalTables(PathIntrinsics paths) : TablePlace
{
    public override IEnumerable<FoundTable> All() => TableLookup.All(paths).Select(table => FoundTable.OfFile(table.Path));

    public override IReadOnlyList<FoundTable> ByName(string name) => [.. TableLookup.ByName(paths, name).Select(FoundTable.OfFile)];

    public override FoundTable Only() => FoundTable.OfFile(TableLookup.Only(paths));
}
