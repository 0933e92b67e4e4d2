using System.Diagnostics;

namespace Lockstep.Testing;

/// <summary>What somebody else may have put where a program is about to make a file.</summary>
public enum Plant
{
    /// <summary>A symbolic link to a file with something in it.</summary>
    Link,

    /// <summary>A symbolic link to where there is no file.</summary>
    DanglingLink,

    /// <summary>A named pipe, which opening waits for.</summary>
    Pipe,
}

/// <summary>Something that was planted, and what must not become of it.</summary>
public sealed class Planted
{
    private const string Content = "precious";
    private readonly Plant _plant;
    private readonly string _victim;

    /// <summary>Plants it.</summary>
    /// <param name="plant">What.</param>
    /// <param name="at">Where.</param>
    public Planted(Plant plant, string at)
    {
        _plant = plant;
        _victim = at + ".victim";
        if (plant == Plant.Pipe)
        {
            Fifo.Make(at);
            return;
        }

        if (plant == Plant.Link)
            File.WriteAllText(_victim, Content);
        File.CreateSymbolicLink(at, _victim);
    }

    /// <summary>
    /// Does what makes a file there, within a time that nothing needs which does not wait for a pipe. It may succeed, or fail with an error
    /// of a kind that tells what to do; what a link leads to is as it was.
    /// </summary>
    public async Task HoldsAgainstAsync<TError>(Func<Task> make)
        where TError : Exception
    {
        try
        {
            await Task.Run(make).WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (TError)
        {
            // Refused, which is as good.
        }

        Assert.Equal(_plant == Plant.Link ? Content : null, File.Exists(_victim) ? File.ReadAllText(_victim) : null);
    }
}

/// <summary>A named pipe in a folder.</summary>
public static class Fifo
{
    public static void Make(string path)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Windows has no pipes in folders.");
        using var mkfifo = Process.Start("mkfifo", [path]);
        mkfifo.WaitForExit();
        Assert.Equal(0, mkfifo.ExitCode);
    }
}
