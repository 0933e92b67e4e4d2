using System.Diagnostics;
using System.Globalization;
using System.Text;
using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// The single-writer lock of a table file: a file beside it that only one writer, in any process, has open. It names that writer. The
/// system releases it when the process dies, so a dead holder is no obstacle. It is a separate file because closing any other handle of the
/// table file would drop SQLite's locks on it, which on Linux belong to the process.
/// </summary>
internal sealed class WriterLock : IDisposable
{
    private const string Suffix = "-lock";
    private const int Probes = 4;

    /// <summary>
    /// On Windows others may read the holder's name; elsewhere this is an exclusive advisory lock, which readers can ignore.
    /// </summary>
    private static readonly FileShare WhileHeld = OperatingSystem.IsWindows() ? FileShare.Read : FileShare.None;
    private static readonly TimeSpan ProbeTime = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);

    private readonly FileStream _file;
    private readonly string _path;

    private WriterLock(FileStream file, string path, bool isNew) => (_file, _path, IsNew) = (file, path, isNew);

    /// <summary>Whether there was no lock file before.</summary>
    public bool IsNew { get; }

    /// <summary>Takes the lock at once, or throws a <see cref="TableBusyException"/> that names the holder.</summary>
    public static WriterLock Take(string tablePath)
    {
        var path = PathOf(tablePath);
        var isNew = !File.Exists(path);
        var file = Open(tablePath, path);
        try
        {
            file.SetLength(0);
            using var self = Process.GetCurrentProcess();
            var holder = string.Create(
                CultureInfo.InvariantCulture,
                $"process {self.Id} ({self.ProcessName}) on {Environment.MachineName} since {DateTimeOffset.UtcNow:u}"
            );
            RandomAccess.Write(file.SafeFileHandle, Encoding.UTF8.GetBytes(holder), 0);
            return new WriterLock(file, path, isNew);
        }
        catch
        {
            // A full disk has no room for the name, and the lock must not outlive the attempt.
            file.Dispose();
            throw;
        }
    }

    private static FileStream Open(string tablePath, string path)
    {
        for (var probe = 1; ; probe++)
        {
            try
            {
                return LockFile.Open(path, WhileHeld);
            }
            catch (NoLockFileException e)
            {
                throw new TableFileException(
                    tablePath,
                    e.Message,
                    "Remove it and try again, or choose a folder that no one else writes to.",
                    e
                );
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException) && File.Exists(path))
            {
                // A process that only looks up the holder has it open for an instant; a writer keeps it open.
                if (probe == Probes)
                    throw new TableBusyException(tablePath, ReadHolder(path));
                Thread.Sleep(ProbeTime);
            }
        }
    }

    /// <summary>Takes the lock as soon as its holder releases it.</summary>
    public static async Task<WriterLock> WaitAsync(string tablePath, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return TableFile.Guard(tablePath, () => Take(tablePath));
            }
            catch (TableBusyException)
            {
                await Task.Delay(RetryInterval, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Who holds the lock of a table file, or null if nobody does.</summary>
    public static string? HolderOf(string tablePath)
    {
        var path = PathOf(tablePath);
        // A holder that releases the lock properly leaves the file empty.
        if (new FileInfo(path) is not { Exists: true, LinkTarget: null, Length: > 0 })
            return null;
        try
        {
            using var probe = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
            return null;
        }
        catch (IOException)
        {
            return ReadHolder(path);
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Removes the lock file of a table that is being removed; the caller holds the lock.</summary>
    public void DisposeAndDelete()
    {
        _file.SetLength(0);
        LockFile.Remove(_file, _path);
    }

    public void Dispose()
    {
        if (_file.CanWrite)
            _file.SetLength(0);
        _file.Dispose();
    }

    /// <summary>Beside the file itself, whatever name it was opened by.</summary>
    private static string PathOf(string tablePath) => RealPath.Of(tablePath) + Suffix;

    private static string ReadHolder(string path)
    {
        try
        {
            using var file = OperatingSystem.IsWindows()
                ? new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1)
                : UnixFile.OpenToRead(path);
            using var reader = new StreamReader(file);
            var holder = reader.ReadToEnd();
            return holder.Length > 0 ? holder : "another writer";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return "another writer";
        }
    }
}
