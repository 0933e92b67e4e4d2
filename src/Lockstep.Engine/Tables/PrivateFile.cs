using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// Keeps a table file private from other users of the machine. The files that SQLite creates beside a file get its permissions.
/// </summary>
internal static class PrivateFile
{
    /// <summary>
    /// Creates an empty file that only this user may read and write, which SQLite treats as an empty database; for an existing file,
    /// removes other users' access. The caller holds its <see cref="WriterLock"/>.
    /// </summary>
    /// <exception cref="TableFileException">On Windows, where files inherit their folder's permissions.</exception>
    public static void Require(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new TableFileException(
                path,
                "Files on Windows have the permissions of their folder.",
                $"Leave {Term.Private} out, and choose a folder that only you may read with {Term.Path}."
            );
        }

        var real = RealPath.Of(path);
        if (!File.Exists(real))
        {
            new FileStream(real, New(UnixFile.Private)).Dispose();
            return;
        }

        foreach (var file in (string[])[real, real + "-wal", real + "-shm", real + "-journal"])
        {
            if (File.Exists(file) && !LockFile.IsLink(file))
                File.SetUnixFileMode(file, UnixFile.Private);
        }
    }

    /// <summary>
    /// Creates an empty file with another file's permissions: a copy must not be readable by more users than its original.
    /// </summary>
    public static void MakeLike(string path, string other)
    {
        if (!OperatingSystem.IsWindows())
            new FileStream(path, New(File.GetUnixFileMode(other))).Dispose();
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private static FileStreamOptions New(UnixFileMode mode) =>
        new()
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = mode,
        };
}
