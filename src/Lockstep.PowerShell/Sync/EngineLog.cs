using System.Collections.Concurrent;

namespace Lockstep.Sync;

/// <summary>
/// What the engine logs about a sync and no step reports, on its way to the streams: warnings become warnings, the rest appears with
/// -Debug. Filled from any thread, emptied by one; while nobody empties it, it keeps its first entries.
/// </summary>
internal sealed class EngineLog
{
    private const int Most = 1000;
    private readonly ConcurrentQueue<(bool IsWarning, string Message)> _entries = new();

    /// <summary>Adds an entry.</summary>
    public void Add(bool isWarning, string message)
    {
        if (_entries.Count < Most)
            _entries.Enqueue((isWarning, message));
    }

    /// <summary>Passes on the entries so far.</summary>
    public void DrainTo(ISyncStreams streams)
    {
        while (_entries.TryDequeue(out var entry))
        {
            if (entry.IsWarning)
                streams.Warn(entry.Message);
            else
                streams.Debug(entry.Message);
        }
    }
}
