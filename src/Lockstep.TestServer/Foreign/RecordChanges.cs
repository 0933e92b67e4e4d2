using Lockstep.Serving.Hosting;

namespace Lockstep.TestServer.Foreign;

/// <summary>
/// A feed's records as the changes that made them, in order of arrival; append-only. Each dialect serves a view of it. Thread-safe.
/// </summary>
internal sealed class RecordChanges
{
    private readonly Lock _gate = new();
    private readonly List<Change> _changes = [];
    private readonly Dictionary<string, Change> _newest = new(StringComparer.Ordinal);
    private readonly Pulse _grown = new();

    /// <summary>How many changes there are: the sequence of the newest.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _changes.Count;
        }
    }

    /// <summary>Completes when there is another change. Get it before you look.</summary>
    public Task Grown => _grown.Next;

    /// <summary>Appends changes as one step.</summary>
    /// <param name="make">Calls the second function for each change; the first finds the newest change of a key.</param>
    public void Append(Action<Func<string, Change?>, Action<Change>> make)
    {
        lock (_gate)
        {
            try
            {
                make(_newest.GetValueOrDefault, Add);
            }
            finally
            {
                _grown.Raise();
            }
        }
    }

    /// <summary>The changes after a sequence that meet a condition, at most this many.</summary>
    public IReadOnlyList<Change> Read(int after, int most, Func<Change, bool>? takes = null)
    {
        List<Change> found = [];
        lock (_gate)
        {
            for (var i = after; i < _changes.Count && found.Count < most; i++)
            {
                if (takes is null || takes(_changes[i]))
                    found.Add(_changes[i]);
            }
        }
        return found;
    }

    private void Add(Change change)
    {
        if (change.Previous is { } previous)
            previous.Next = change;
        _changes.Add(change);
        _newest[change.Key] = change;
    }
}
