using Lockstep.Engine.Tables.Native;

namespace Lockstep.Ticks;

/// <summary>
/// A writer's place among those waiting for an SQLite file: a small file beside it records when the longest-waiting writer started to wait.
/// That writer renews it at each attempt, so that a dead process holds up nobody; the others leave the store to it. If the file cannot be
/// written, everybody tries, and turns are less fair.
/// </summary>
/// <param name="path">The small file, which exists only while a writer is waiting.</param>
internal sealed class SqliteQueue(string path) : IDisposable
{
    /// <summary>A record that was not renewed for this long belongs to a writer that no longer waits.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(250);

    private readonly long _since = DateTime.UtcNow.Ticks;
    private bool _removes;

    /// <summary>Whether no one has waited longer.</summary>
    public bool IsFirst() => !(Read() < _since);

    /// <summary>Continues to wait: records itself unless another writer has waited longer.</summary>
    public void Wait()
    {
        _removes = true;
        if (!IsFirst())
            return;
        // A new file replaces the other one: whatever others put there, such as a link, is not written through.
        var unfinished = $"{path}.{Guid.NewGuid():N}";
        try
        {
            using (var file = new FileStream(unfinished, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0))
                file.Write(BitConverter.GetBytes(_since));
            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Delete(unfinished);
        }
    }

    /// <summary>Stops waiting. The writer that has now waited longest records itself at its next attempt.</summary>
    public void Dispose()
    {
        if (_removes)
            Delete(path);
    }

    /// <summary>When the longest-waiting writer started to wait; null if none is waiting.</summary>
    private long? Read()
    {
        try
        {
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Fresh)
            {
                // A dead writer's record is removed with this one's. If another writer has taken its place by then, it renews its own.
                _removes |= File.Exists(path);
                return null;
            }

            using var file = Open(path);
            Span<byte> since = stackalloc byte[sizeof(long)];
            return file.ReadAtLeast(since, since.Length, throwOnEndOfStream: false) == since.Length ? BitConverter.ToInt64(since) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A pipe in its place does not block, and a link is not followed.</summary>
    private static FileStream Open(string path) =>
        OperatingSystem.IsWindows()
            ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1)
            : UnixFile.OpenToRead(path);

    private static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }
}
