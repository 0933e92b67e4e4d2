using System.Diagnostics;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>A named pipe in a folder, which opening would wait for.</summary>
internal static class Fifo
{
    public static void Make(string path)
    {
        using var mkfifo = Process.Start("mkfifo", [path]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
    }
}
