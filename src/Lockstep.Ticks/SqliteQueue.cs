using Lockstep.Engine.Tables.Native;

namespace Lockstep.Ticks;

/// <summary>
/// One writer's place among those that wait for an SQLite file: a small file beside it names when the one that has waited longest began to.
/// That one renews it at each look, so that a process which is gone holds up nobody; the others leave the store to it. Where the file
/// cannot be written, everyone tries, and turns are less fair.
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
        // A new file that takes the other's place: whatever others put there, such as a link, is not written through.
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

    /// <summary>Waits no more. Whoever has waited longest now says so at the next look.</summary>
    public void Dispose()
    {
        if (_waits)
            Delete(path);
    }

    /// <summary>Since when the one waits that has waited longest; null when no one does.</summary>
    private long? Read()
    {
        try
        {
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > Fresh)
                return null;
            using var file = Open(path);
            Span<byte> since = stackalloc byte[sizeof(long)];
            return file.ReadAtLeast(since, since.Length, throwOnEndOfStream: false) == since.Length ? BitConverter.ToInt64(since) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A pipe in its place does not make it wait, and a link leads nowhere.</summary>
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
