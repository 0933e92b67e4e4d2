namespace Lockstep.Ticks;

/// <summary>
/// One writer's place among those that wait for an SQLite file: a small file beside it names when the one that has waited longest began to.
/// That one renews it at each look, so that a process which is gone holds up nobody; the others leave the store to it. Where the file cannot
/// be written, everyone tries, and turns are less fair.
/// </summary>
/// <param name="path">The small file, which is there only while someone waits.</param>
internal sealed class SqliteQueue(string path) : IDisposable
{
    /// <summary>What was not renewed for so long is of one that waits no more.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(250);

    private readonly long _since = DateTime.UtcNow.Ticks;
    private bool _waits;

    /// <summary>Whether no one has waited longer.</summary>
    public bool IsFirst() => !(Read() < _since);

    /// <summary>Waits on, as long as it takes: says so where no one has waited longer.</summary>
    public void Wait()
    {
        _waits = true;
        if (!IsFirst())
            return;
        try
        {
            using var file = Open(FileMode.OpenOrCreate, FileAccess.Write);
            RandomAccess.Write(file, BitConverter.GetBytes(_since), 0);
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>Waits no more. Whoever has waited longest now says so at the next look.</summary>
    public void Dispose()
    {
        if (!_waits)
            return;
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>Since when the one waits that has waited longest; null when no one does.</summary>
    private long? Read()
    {
        try
        {
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Fresh)
                return null;
            using var file = Open(FileMode.Open, FileAccess.Read);
            Span<byte> since = stackalloc byte[sizeof(long)];
            return RandomAccess.Read(file, since, 0) == since.Length ? BitConverter.ToInt64(since) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private Microsoft.Win32.SafeHandles.SafeFileHandle Open(FileMode mode, FileAccess access) =>
        File.OpenHandle(path, mode, access, FileShare.ReadWrite | FileShare.Delete);
}
