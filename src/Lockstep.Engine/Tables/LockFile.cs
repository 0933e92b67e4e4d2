using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>What is in a lock file's place is not a lock file: a link, a device, or a file with other contents.</summary>
internal sealed class NoLockFileException(string path)
    : IOException($"'{path}' is not a lock file: it is a link, a device or another user's file. It was not changed.");

/// <summary>
/// Opens files that lock by being open. In a folder that others may write to, somebody may have put something else in their place: links
/// are not followed, and only a short regular file is accepted. Nothing is truncated. Any thread.
/// </summary>
internal static class LockFile
{
    /// <summary>In bytes. A lock's holder writes one line about itself, which is shorter.</summary>
    private const int LongestContent = 1024;

    /// <summary>How many times a file may be removed between its opening and its locking before that is an error.</summary>
    private const int Attempts = 100;

    /// <summary>
    /// How the holder's line starts: a file with other contents, such as a hard link to somebody's short file, is not a lock file.
    /// </summary>
    private static ReadOnlySpan<byte> Beginning => "process "u8;

    /// <summary>Opens a lock file, creating it if there is none, and takes the lock.</summary>
    /// <param name="path">The lock file's full path.</param>
    /// <param name="share">What others may do meanwhile on Windows; elsewhere nobody else can take the lock.</param>
    /// <exception cref="NoLockFileException">Something else is in its place.</exception>
    /// <exception cref="IOException">Another process, or another part of this one, has it.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened or created.</exception>
    public static FileStream Open(string path, FileShare share = FileShare.None)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            if ((OpenExisting(path, share) ?? TryCreate(path, share)) is not { } file)
                continue;
            if (!IsLockFile(file, path))
            {
                file.Dispose();
                throw new NoLockFileException(path);
            }

            // Its last holder may have removed it between our opening and our locking: then the next writer locks a different file.
            if (OperatingSystem.IsWindows() || UnixFile.IsAt(file.SafeFileHandle, path))
                return file;
            file.Dispose();
        }

        throw new IOException($"The lock file '{path}' was being removed.");
    }

    /// <summary>
    /// Releases a lock and removes its file. On Unix the file goes while the lock is held, so that whoever has it open already sees that it
    /// is gone. Windows removes no file that somebody has open: there it stays if another writer was faster.
    /// </summary>
    /// <param name="file">What <see cref="Open"/> returned.</param>
    /// <param name="path">Its path.</param>
    public static void Remove(FileStream file, string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(path);
            file.Dispose();
            return;
        }

        file.Dispose();
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next holder has it.
        }
    }

    /// <summary>Whether a path is a symbolic link or another reparse point.</summary>
    public static bool IsLink(string path)
    {
        var entry = new FileInfo(path);
        return entry.LinkTarget is not null || (entry.Exists && entry.Attributes.HasFlag(FileAttributes.ReparsePoint));
    }

    private static FileStream? OpenExisting(string path, FileShare share)
    {
        if (IsLink(path))
            throw new NoLockFileException(path);
        if (!OperatingSystem.IsWindows())
            return UnixFile.OpenToLock(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, share, bufferSize: 1);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Creates a new file, for which no system follows links; null if there is one.</summary>
    private static FileStream? TryCreate(string path, FileShare share)
    {
        try
        {
            return new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, share, bufferSize: 1);
        }
        catch (IOException) when (File.Exists(path) || IsLink(path))
        {
            return null;
        }
    }

    /// <summary>
    /// A pipe cannot seek, and only a regular file accepts its own length. On Windows an open file keeps its place, so that the path still
    /// means what was opened.
    /// </summary>
    private static bool IsLockFile(FileStream file, string path)
    {
        if (!file.CanSeek || file.Length > LongestContent || (OperatingSystem.IsWindows() && IsLink(path)))
            return false;
        try
        {
            file.SetLength(file.Length);
            Span<byte> content = stackalloc byte[Beginning.Length];
            var read = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            file.Position = 0;
            return Beginning.StartsWith(content[..read]);
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}
