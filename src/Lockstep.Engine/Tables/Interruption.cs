namespace Lockstep.Engine.Tables;

/// <summary>
/// Whether a writer has been interrupted. SQLite's own interrupt reaches only a statement running at that instant; a batch is many short
/// ones, and an interrupt between two of them would be lost (I10). Any thread may request it; it cannot be undone.
/// </summary>
internal sealed class Interruption
{
    private volatile bool _isRequested;

    public bool IsRequested => _isRequested;

    public void Request() => _isRequested = true;

    public void ThrowIfRequested()
    {
        if (_isRequested)
            throw new OperationCanceledException("The commit was interrupted and rolled back.");
    }
}
