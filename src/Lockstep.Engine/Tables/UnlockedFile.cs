namespace Lockstep.Engine.Tables;

/// <summary>
/// A table file that is read without locks, because its folder is not writable: nothing stops a writer who can write there, so size, time
/// and SQLite's own change counter are compared around each read. One thread at a time.
/// </summary>
internal sealed class UnlockedFile : IDisposable
{
    private const int CounterAt = 24;

    // Stays open as long as it is read: closing it could drop locks that SQLite has on the same file through another path.
    private readonly FileStream _file;
    private readonly string _path;
    private readonly Stamp _stamp;

    private UnlockedFile(string path, FileStream file)
    {
        (_path, _file) = (path, file);
        _stamp = Look();
    }

    /// <exception cref="IOException">It cannot be opened.</exception>
    public static UnlockedFile Open(string path) => new(path, TableFile.OpenBeside(RealPath.Of(path)));

    /// <summary>Whether no other file beside it belongs to its contents or shows that somebody is using it.</summary>
    public static bool IsAlone(string path)
    {
        var real = RealPath.Of(path);
        return File.Exists(real) && Array.TrueForAll(TableFile.Companions, suffix => !File.Exists(real + suffix));
    }

    /// <summary>The URI with which SQLite opens a file without locks and shared memory: see https://sqlite.org/uri.html.</summary>
    public static string UriOf(string path)
    {
        var elements = RealPath.Of(path).Split(Path.DirectorySeparatorChar).Select(Uri.EscapeDataString);
        return "file://" + (OperatingSystem.IsWindows() ? "/" : "") + string.Join('/', elements) + "?immutable=1";
    }

    /// <exception cref="TableFileException">The file has changed since it was opened.</exception>
    public void RequireUnchanged()
    {
        if (Look() == _stamp)
            return;
        throw new TableFileException(
            _path,
            $"The table file '{_path}' changed while it was read: another program can write to its folder, and does.",
            $"Read again when that has ended, or read a copy made by {Term.BackupTable} where the table is written."
        );
    }

    public void Dispose() => _file.Dispose();

    private Stamp Look()
    {
        var handle = _file.SafeFileHandle;
        Span<byte> counter = stackalloc byte[sizeof(int)];
        counter.Clear();
        _ = RandomAccess.Read(handle, counter, CounterAt);
        return new Stamp(
            RandomAccess.GetLength(handle),
            File.GetLastWriteTimeUtc(handle),
            System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(counter)
        );
    }

    private readonly record struct Stamp(long Size, DateTime Written, int Counter);
}
