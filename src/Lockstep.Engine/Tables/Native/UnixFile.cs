using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// Opens a file in ways that the runtime cannot on Unix: without the advisory lock that the runtime takes on every file whatever the share
/// mode, and without following a symbolic link. Opening a pipe or a device does not block.
/// </summary>
internal static partial class UnixFile
{
    private const int ReadOnly = 0;
    private const int ReadWrite = 2;
    private const int NoEntry = 2;
    private const int AccessDenied = 13;
    private const int ReadOnlyFileSystem = 30;
    private const int LockExclusive = 2;
    private const int LockWithoutWaiting = 4;
    private const int LockRelease = 8;

    /// <summary>The permissions of a file that belongs to a single user.</summary>
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly int WouldBlock = OperatingSystem.IsLinux() ? 11 : 35;

    /// <summary>O_NOFOLLOW, O_NONBLOCK and O_CLOEXEC; the first is a different bit on ARM than on other Linux platforms.</summary>
    private static readonly int Careful = OperatingSystem.IsLinux()
        ? (RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000) | 0x800 | 0x80000
        : 0x100 | 0x4 | 0x1000000;

    /// <summary>
    /// Whether a path leads to a pipe, a socket or a device. Does not open the file: closing it would drop SQLite's locks on it.
    /// </summary>
    public static bool IsSpecial(string path)
    {
        const int TypeMask = 0xF000,
            Regular = 0x8000,
            Directory = 0x4000;
        Span<long> status = stackalloc long[64];
        try
        {
            // The runtime's own stat, whose result is the same on all systems: flags, then mode.
            return Status(path, ref status[0]) == 0 && (MemoryMarshal.Cast<long, int>(status)[1] & TypeMask) is not (Regular or Directory);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Whether a path still names an open file. May wrongly say no while somebody is reading the file.</summary>
    public static bool IsAt(SafeFileHandle file, string path)
    {
        // The runtime's status of the two is the same to the last bit, whatever the order of its fields, which include the file's number.
        Span<long> opened = stackalloc long[64];
        Span<long> named = stackalloc long[64];
        opened.Clear();
        named.Clear();
        try
        {
            return HandleStatus(file, ref opened[0]) == 0 && LinkStatus(path, ref named[0]) == 0 && opened.SequenceEqual(named);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return true;
        }
    }

    /// <exception cref="IOException">It cannot be opened, or is a link.</exception>
    public static FileStream OpenToRead(string path)
    {
        nint handle = Open(path, ReadOnly | Careful);
        return handle >= 0
            ? new FileStream(new SafeFileHandle(handle, ownsHandle: true), FileAccess.Read, bufferSize: 1)
            : throw new IOException($"'{path}' cannot be opened.");
    }

    /// <summary>Opens an existing file and takes the advisory lock that the runtime would take; null if there is no file.</summary>
    /// <exception cref="IOException">Somebody else has the lock, or the file is a link.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written to.</exception>
    public static FileStream? OpenToLock(string path)
    {
        nint opened = Open(path, ReadWrite | Careful);
        if (opened < 0)
        {
            return Marshal.GetLastPInvokeError() switch
            {
                NoEntry => null,
                AccessDenied or ReadOnlyFileSystem => throw new UnauthorizedAccessException($"Access to the path '{path}' is denied."),
                var error => throw new IOException($"'{path}' cannot be opened: {Marshal.GetPInvokeErrorMessage(error)}."),
            };
        }

        var handle = new SafeFileHandle(opened, ownsHandle: true);
        // As in the runtime, a file system without such locks is not an obstacle.
        if (Lock((int)opened, LockExclusive | LockWithoutWaiting) < 0 && Marshal.GetLastPInvokeError() == WouldBlock)
        {
            handle.Dispose();
            throw new IOException($"'{path}' is locked by another process.");
        }

        return new LockedFile(handle);
    }

    /// <summary>
    /// Releases its lock before it is closed, as the runtime does with its own: a child process being started also has the file until it
    /// executes its program, and would hold the lock that long.
    /// </summary>
    private sealed class LockedFile(SafeFileHandle handle) : FileStream(handle, FileAccess.ReadWrite, bufferSize: 1)
    {
        private readonly SafeFileHandle _handle = handle;

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_handle.IsClosed)
                _ = UnixFile.Lock((int)_handle.DangerousGetHandle(), LockRelease);
            base.Dispose(disposing);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_Stat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(string path, ref long status);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_LStat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkStatus(string path, ref long status);

    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_FStat")]
    private static partial int HandleStatus(SafeFileHandle file, ref long status);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(int file, int operation);
}
