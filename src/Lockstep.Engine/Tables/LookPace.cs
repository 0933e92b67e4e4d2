namespace Lockstep.Engine.Tables;

/// <summary>
/// When to check a table file that others write to: at an interval, and at once when the file system reports a write, as Linux does. What
/// was written may be committed only a moment later, so checks then follow in quick succession until one finds something. The report is
/// only a hint: over a network, or with too many watches, the interval alone decides. Where reports can be relied on, checks without one
/// are up to a second apart, so that an idle file costs next to nothing: on a local disk under Linux from the start, elsewhere once a
/// commit has been reported, and until one is missed.
/// </summary>
/// <remarks>One thread at a time checks and waits; <see cref="Written"/> may be called from any.</remarks>
internal sealed class LookPace : IDisposable
{
    private const int Rarer = 40;
    private static readonly TimeSpan Rarest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private readonly FileSystemWatcher? _files;
    private TaskCompletionSource _written = Unset();
    private TimeSpan _next;
    private bool _isTold;

    /// <param name="path">The file's full path.</param>
    /// <param name="interval">How long a wait takes if the system reports nothing.</param>
    /// <param name="time">The clock of the waits.</param>
    public LookPace(string path, TimeSpan interval, TimeProvider time)
        : this(interval, time)
    {
        FileSystemWatcher? files = null;
        try
        {
            files = new FileSystemWatcher(Path.GetDirectoryName(path)!) { NotifyFilter = NotifyFilters.LastWrite | NotifyFilters.Size };
            files.Filters.Add(Path.GetFileName(path));
            files.Filters.Add(Path.GetFileName(path) + "-wal");
            files.Changed += (_, _) => Written();
            files.EnableRaisingEvents = true;
            _files = files;
            _isTold = OperatingSystem.IsLinux() && new DriveInfo(files.Path).DriveType is DriveType.Fixed or DriveType.Ram;
        }
        catch (Exception e) when (e is IOException or ArgumentException or PlatformNotSupportedException)
        {
            files?.Dispose();
        }
    }

    internal LookPace(TimeSpan interval, TimeProvider time) => (_interval, _time) = (interval, time);

    /// <summary>How long a wait lasts while reports are relied on.</summary>
    private TimeSpan Relying =>
        _interval * Rarer < Rarest ? _interval * Rarer
        : _interval < Rarest ? Rarest
        : _interval;

    /// <summary>Something was written to the file.</summary>
    internal void Written() => Volatile.Read(ref _written).TrySetResult();

    /// <summary>The last check found a commit: everything written before it has been handled.</summary>
    public void Found()
    {
        _isTold = _next > TimeSpan.Zero || _written.Task.IsCompleted;
        _next = TimeSpan.Zero;
    }

    /// <summary>Waits until it is time to check. Ends early, without an exception, when cancelled.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        if (_next > TimeSpan.Zero)
        {
            await Task.Delay(_next, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _next = _next * 2 < _interval ? _next * 2 : TimeSpan.Zero;
            return;
        }

        var written = _written.Task;
        await written
            .WaitAsync(_isTold ? Relying : _interval, _time, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!written.IsCompleted)
            return;
        // Before the check, so that a write during the check is not lost.
        Volatile.Write(ref _written, Unset());
        _next = Soon;
    }

    public void Dispose() => _files?.Dispose();

    private static TaskCompletionSource Unset() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
