using System.Diagnostics;
using System.Runtime.InteropServices;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>One writer per table file, in whatever process.</summary>
public sealed class WriterLockTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Path => _folder["t.db"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_second_writer_is_told_who_the_first_is()
    {
        using var first = WriterLock.Take(Path);

        var error = Assert.Throws<TableBusyException>(() => WriterLock.Take(Path));

        Assert.Contains($"process {Environment.ProcessId} ", error.Holder, StringComparison.Ordinal);
        Assert.Contains(Environment.MachineName, error.Message, StringComparison.Ordinal);
        Assert.Equal(error.Holder, WriterLock.HolderOf(Path));
        first.Dispose();
        Assert.Null(WriterLock.HolderOf(Path));
        WriterLock.Take(Path).Dispose();
    }

    [Fact]
    public void What_a_dead_holder_left_is_no_obstacle()
    {
        File.WriteAllText(Path + "-lock", "process 1 (gone) on elsewhere since ever");

        Assert.Null(WriterLock.HolderOf(Path));
        using var taken = WriterLock.Take(Path);
        Assert.Contains($"process {Environment.ProcessId} ", WriterLock.HolderOf(Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asking_for_the_holder_never_makes_the_file_look_taken()
    {
        File.WriteAllText(Path + "-lock", "process 1, left by a crash");
        using var stop = new CancellationTokenSource();
        var asking = Task.Run(
            () =>
            {
                while (!stop.IsCancellationRequested)
                    WriterLock.HolderOf(Path);
            },
            TestContext.Current.CancellationToken
        );

        for (var i = 0; i < 300; i++)
            WriterLock.Take(Path).Dispose();

        await stop.CancelAsync();
        await asking;
    }

    [Fact]
    public async Task Who_waits_gets_the_lock_when_the_holder_lets_go()
    {
        var first = WriterLock.Take(Path);
        var time = new ManualTimeProvider();
        var waiting = WriterLock.WaitAsync(Path, time, TestContext.Current.CancellationToken);
        await time.WaitForTimersAsync(1, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);

        first.Dispose();
        time.Advance(TimeSpan.FromSeconds(1));

        (await waiting).Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lock_is_free_once_its_holder_lets_go_though_a_child_has_inherited_the_file(bool isThere)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("Only on Unix does a child that is being started have the files of its parent.");
        if (isThere)
            File.WriteAllText(Path + "-lock", "");
        using var first = LockFile.Open(Path + "-lock");
        // As a child process has it between fork and exec, until which O_CLOEXEC does nothing.
        var inherited = Duplicate((int)first.SafeFileHandle.DangerousGetHandle());
        try
        {
            first.Dispose();

            LockFile.Open(Path + "-lock").Dispose();
        }
        finally
        {
            _ = Close(inherited);
        }
    }

    [DllImport("libc", EntryPoint = "dup")]
    private static extern int Duplicate(int file);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int Close(int file);

    [Fact]
    public async Task A_lock_whose_file_is_removed_with_it_has_one_holder_at_a_time()
    {
        var holders = 0;
        var taken = 0;
        var most = 0;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        var writers = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(Write, TaskCreationOptions.LongRunning)).ToArray();

        await Task.WhenAll(writers);

        Assert.Equal(1, most);
        Assert.True(taken > 100, $"Only {taken} had the lock.");

        void Write()
        {
            while (Volatile.Read(ref taken) < 4000 && Volatile.Read(ref most) < 2 && !deadline.IsCancellationRequested)
            {
                try
                {
                    var held = LockFile.Open(Path + "-lock");
                    InterlockedMax(ref most, Interlocked.Increment(ref holders));
                    Thread.Yield();
                    Interlocked.Increment(ref taken);
                    Interlocked.Decrement(ref holders);
                    LockFile.Remove(held, Path + "-lock");
                }
                catch (IOException)
                {
                    // Another process has it.
                }
            }
        }

        static void InterlockedMax(ref int most, int now)
        {
            for (var seen = Volatile.Read(ref most); seen < now; seen = Volatile.Read(ref most))
                Interlocked.CompareExchange(ref most, now, seen);
        }
    }

    [Fact]
    public async Task Another_process_that_holds_it_is_named_until_it_dies()
    {
        // flock(1) is what the runtime itself uses on Linux.
        if (!File.Exists("/usr/bin/flock"))
            Assert.Skip("The flock program is not installed.");
        var file = Path + "-lock";
        await File.WriteAllTextAsync(file, "process 4242 (other)", TestContext.Current.CancellationToken);
        using var holder = Process.Start(
            new ProcessStartInfo("/usr/bin/flock", ["-x", file, "sh", "-c", "echo held; exec sleep 60"]) { RedirectStandardOutput = true }
        )!;
        try
        {
            Assert.Equal("held", await holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            Assert.Equal("process 4242 (other)", Assert.Throws<TableBusyException>(() => WriterLock.Take(Path)).Holder);
        }
        finally
        {
            holder.Kill(entireProcessTree: true);
            await holder.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        WriterLock.Take(Path).Dispose();
    }

    [Fact]
    public void A_link_in_the_lock_files_place_is_refused_and_its_target_left_as_it_is()
    {
        File.WriteAllText(_folder["victim"], "precious");
        File.CreateSymbolicLink(Path + "-lock", _folder["victim"]);

        Assert.Throws<TableFileException>(() => WriterLock.Take(Path));

        Assert.Equal("precious", File.ReadAllText(_folder["victim"]));
        Assert.Null(WriterLock.HolderOf(Path));
    }

    [Fact]
    public void A_link_that_leads_nowhere_makes_no_file()
    {
        File.CreateSymbolicLink(Path + "-lock", _folder["nowhere"]);

        Assert.Throws<TableFileException>(() => WriterLock.Take(Path));

        Assert.False(File.Exists(_folder["nowhere"]));
    }

    [Fact]
    public void A_file_that_is_no_lock_file_is_left_as_it_is()
    {
        var content = new string('x', 5000);
        File.WriteAllText(Path + "-lock", content);

        Assert.Throws<TableFileException>(() => WriterLock.Take(Path));

        Assert.Equal(content, File.ReadAllText(Path + "-lock"));
    }

    [Fact]
    public void A_short_file_that_is_no_lock_file_is_left_as_it_is()
    {
        // A second name of somebody's file is not a link that could be told from the file.
        File.WriteAllText(Path + "-lock", "precious");

        Assert.Throws<TableFileException>(() => WriterLock.Take(Path));

        Assert.Equal("precious", File.ReadAllText(Path + "-lock"));
    }

    [Fact]
    public void A_pipe_in_the_lock_files_place_is_refused_at_once()
    {
        Fifo.Make(Path + "-lock");

        Assert.Throws<TableFileException>(() => WriterLock.Take(Path));
        Assert.Null(WriterLock.HolderOf(Path));
    }

    [Fact]
    public void Two_names_of_one_file_have_one_lock()
    {
        File.WriteAllText(Path, "");
        Directory.CreateDirectory(_folder["sub"]);
        File.CreateSymbolicLink(_folder["sub/other.db"], Path);
        Directory.CreateSymbolicLink(_folder["link"], _folder["sub"]);

        using var taken = WriterLock.Take(_folder["link/other.db"]);

        Assert.Throws<TableBusyException>(() => WriterLock.Take(Path));
        Assert.Contains($"process {Environment.ProcessId} ", WriterLock.HolderOf(_folder["sub/other.db"]), StringComparison.Ordinal);
        Assert.True(File.Exists(Path + "-lock"));
    }
}
