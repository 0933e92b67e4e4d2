using System.Management.Automation;
using Lockstep.Parameters;
using Lockstep.Pipeline;

namespace Lockstep.Variables;

/// <summary>
/// The stores that one cmdlet uses, each opened once. Keeps the engine out of the sight of public types. On the pipeline thread.
/// </summary>
/// <param name="cmdlet">Whose streams warnings go to.</param>
/// <param name="paths">The session's paths.</param>
/// <param name="stop">Ends what is under way.</param>
internal sealed class StoreConnections(LockstepCmdlet cmdlet, PathIntrinsics paths, CancellationToken stop) : IDisposable
{
    private readonly Dictionary<string, StoreConnection> _open = new(StringComparer.Ordinal);

    public VariableValues Values { get; } = new(cmdlet.WriteWarning);

    /// <summary>The connection to a store, which opens it when it is first asked something.</summary>
    public StoreConnection this[VariableStore store]
    {
        get
        {
            var named = store.IsFile ? new VariableStore(FileSystemPath.ResolveLiteral(paths, store.Text)) : store;
            if (!_open.TryGetValue(named.Text, out var connection))
                _open.Add(named.Text, connection = new StoreConnection(named, Values, cmdlet, stop));

            return connection;
        }
    }

    public void Dispose()
    {
        foreach (var connection in _open.Values)
            connection.Dispose();
    }
}
