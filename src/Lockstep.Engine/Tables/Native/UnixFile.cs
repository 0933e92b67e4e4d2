using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Lockstep.Engine.Tables.Native;

/// <summary>
/// Opens a file without the advisory lock that the runtime takes on every file that it opens on Unix, whatever the share mode.
/// </summary>
internal static partial class UnixFile
{
    private const int ReadOnly = 0;

    /// <exception cref="IOException">It cannot be opened.</exception>
    public static FileStream OpenToRead(string path)
    {
        nint handle = Open(path, ReadOnly);
        return handle >= 0
            ? new FileStream(new SafeFileHandle(handle, ownsHandle: true), FileAccess.Read, bufferSize: 1)
            : throw new IOException($"'{path}' cannot be opened.");
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
