using System.Runtime.CompilerServices;
using Lockstep.Engine.Records;
using Microsoft.Data.Sqlite;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Observes what a sync, in this process or another, does to a table file: changes as they are committed, the newest state per record, in
/// order of sequence (I11). It only reads. SQLite's data version is a cheap sign that something was committed; then one scan reads the
/// changes, so that a change in a table of a million records is seen within about a tenth of a second.
/// </summary>
/// <param name="path">The file's full path.</param>
/// <param name="time">The clock; null for the system's.</param>
internal sealed class TableWatcher(string path, TimeProvider? time = null)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(25);

    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <summary>The changes after a sequence number, followed by new ones, until cancelled.</summary>
    /// <param name="since">The sequence number; null for only what changes from now on.</param>
    /// <param name="cancellationToken">Ends the watching.</param>
    /// <returns>
    /// A batch whenever there are changes; an empty batch at least four times a second, so that the caller can do other things.
    /// </returns>
    /// <exception cref="TableNotFoundException">There is no such file.</exception>
    public async IAsyncEnumerable<IReadOnlyList<TableChange>> WatchAsync(
        long? since = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        using LookPace pace = new(path, Interval, _time);
        using var connection = ReadConnection.Open(path, cancellationToken);
        var sequence = since ?? connection.Read(() => TableState.Load(connection)).Sequence;
        long version = -1;
        var pulse = _time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            var now = connection.Read(() => TableFile.Scalar(connection, "PRAGMA data_version"));
            if (now != version)
            {
                if (version >= 0)
                    pace.Found();
                version = now;
                var changes = ReadSince(sequence, cancellationToken);
                if (changes.Count > 0)
                {
                    sequence = changes[^1].Sequence;
                    pulse = _time.GetTimestamp();
                    yield return changes;
                    continue;
                }
            }

            if (_time.GetElapsedTime(pulse) > TimeSpan.FromMilliseconds(200))
            {
                pulse = _time.GetTimestamp();
                yield return [];
            }

            await pace.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until the table satisfies a condition.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="timeout">The longest wait; null to wait forever.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The table at that moment; null if the time ran out.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<TableInfo?> WaitAsync(Func<TableInfo, bool> condition, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var table = new Table(path, cancellationToken);
        while (true)
        {
            if (File.Exists(path) && TableFile.IsTableFile(path) && table.GetInfo() is { } info && condition(info))
                return info;
            if (timeout is { } limit && _time.GetElapsedTime(start) >= limit)
                return null;
            await Task.Delay(Interval, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private List<TableChange> ReadSince(long sequence, CancellationToken cancellationToken)
    {
        using var scan = new Table(path, cancellationToken).Read(new RecordQuery { Since = sequence });
        var changes = new List<TableChange>();
        while (scan.Read())
            changes.Add(new TableChange(scan.KindSince(sequence), scan.Key, scan.Sequence, scan.Json.ToArray()));
        return changes;
    }
}
