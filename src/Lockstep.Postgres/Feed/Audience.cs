using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Feed;

/// <summary>Counts the clients of a feed: while there are none, nothing is read. Thread-safe.</summary>
internal sealed class Audience(Signal changed)
{
    private int _clients;

    public bool IsEmpty => Volatile.Read(ref _clients) == 0;

    public void Came()
    {
        if (Interlocked.Increment(ref _clients) == 1)
            changed.Raise();
    }

    public void Left()
    {
        if (Interlocked.Decrement(ref _clients) == 0)
            changed.Raise();
    }
}
