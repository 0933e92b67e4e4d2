using System.Collections;
using System.Management.Automation;

namespace Lockstep.Jobs;

/// <summary>
/// A job's stream that keeps only its newest records, so that a job that nobody reads does not grow (I8). One writer, any number of
/// readers.
/// </summary>
internal sealed class BoundedStream<T>(PSDataCollection<T> records, int capacity)
{
    /// <summary>How many records were dropped because nobody had received them.</summary>
    public long Dropped { get; private set; }

    public void Add(T record)
    {
        // Not while holding the lock: this may call code that waits for records and takes the same lock.
        MakeRoom();
        if (records.IsOpen)
            records.Add(record);
    }

    /// <summary>Counts records that were dropped before they reached this stream.</summary>
    public void Drop(int count) => Dropped += count;

    private void MakeRoom()
    {
        lock (((ICollection)records).SyncRoot)
        {
            while (records.Count >= capacity)
            {
                records.RemoveAt(0);
                Dropped++;
            }
        }
    }
}
