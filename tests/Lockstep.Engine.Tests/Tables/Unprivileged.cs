using System.Runtime.InteropServices;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Runs work as a user who is subject to a folder's permissions; root is not.</summary>
internal static class Unprivileged
{
    private const uint Nobody = 65534;

    /// <summary>Runs it on its own thread, which on Linux can have another user than its process.</summary>
    public static T Run<T>(Func<T> work)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Windows has no folders that are read-only.");
        if (!Environment.IsPrivilegedProcess)
            return work();
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
            Assert.Skip("Permissions do not bind root here.");
        T? result = default;
        Exception? error = null;
        var thread = new Thread(() =>
        {
            try
            {
                // For this thread only: the system call, not the library's function, which sets it for all of them.
                long call = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 117 : 147;
                Assert.Equal(0, SetUser(call, uint.MaxValue, Nobody, uint.MaxValue));
                result = work();
            }
            catch (Exception e)
            {
                error = e;
            }
        });
        thread.Start();
        thread.Join();
        if (error is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
        return result!;
    }

    [DllImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static extern long SetUser(long number, uint real, uint effective, uint saved);
}
