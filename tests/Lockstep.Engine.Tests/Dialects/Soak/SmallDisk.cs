using System.Diagnostics;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>A file system in memory with room for two megabytes, where the tests may mount one.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder = new();

    private SmallDisk() { }

    /// <summary>How often the table could not be written.</summary>
    public int Refusals { get; set; }

    public string this[string name] => _folder[name];

    private string Filler => _folder["filler"];

    /// <summary>Mounts it, or skips the test.</summary>
    public static SmallDisk Create()
    {
        var disk = new SmallDisk();
        try
        {
            if (OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk._folder.Path) == 0)
                return disk;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            // There is no such program.
        }

        disk._folder.Dispose();
        Assert.Skip("A disk that can be filled needs Linux and the right to mount one.");
        return disk;
    }

    /// <summary>Leaves only so many bytes of room.</summary>
    public void Fill(long room)
    {
        using var file = File.Create(Filler);
        var block = new byte[4096];
        for (var left = new DriveInfo(_folder.Path).AvailableFreeSpace - room; left > 0; left -= block.Length)
        {
            try
            {
                file.Write(block);
                file.Flush();
            }
            catch (IOException)
            {
                return;
            }
        }
    }

    public void Free() => File.Delete(Filler);

    public void Dispose()
    {
        _ = Run("umount", "-l", _folder.Path);
        _folder.Dispose();
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
