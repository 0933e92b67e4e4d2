using System.Management.Automation;
using Lockstep.Parameters;
using Lockstep.Pipeline;

namespace Lockstep.Variables;

/// <summary>The stores used by one cmdlet, each opened once. Hides the engine from public types. On the pipeline thread.</summary>
/// <param name="cmdlet">The cmdlet that writes warnings.</param>
/// <param name="paths">The session's paths.</param>
/// <param name="stop">Ends what is running.</param>
internal sealed class StoreConnections(LockstepCmdlet cmdlet, PathIntrinsics paths, CancellationToken stop) : IDisposable
{
    private readonly Dictionary<string, StoreConnection> _open = new(StringComparer.Ordinal);

    public VariableValues Values { get; } = new(cmdlet.WriteWarning);

    /// <summary>The connection to a store, which opens it on first use.</summary>
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
