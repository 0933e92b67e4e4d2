using System.Diagnostics;

namespace Lockstep.Testing;

/// <summary>What somebody else may have put where a program is about to create a file.</summary>
public enum Plant
{
    /// <summary>A symbolic link to a file with something in it.</summary>
    Link,

    /// <summary>A symbolic link to a file that does not exist.</summary>
    DanglingLink,

    /// <summary>A named pipe, which opening waits for.</summary>
    Pipe,
}

/// <summary>Something that was planted, and what must not happen to it.</summary>
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
    /// Does what creates a file there, within a time that only a wait for a pipe exceeds. It may succeed, or fail with an error of a kind
    /// that says what to do; a link's target is unchanged.
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
            // Refused, which is just as good.
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
