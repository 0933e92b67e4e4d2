using Lockstep.Engine.Tables.Native;

namespace Lockstep.Engine.Tables;

/// <summary>
/// A file that others see complete or not at all: it is written beside its final place under an unpredictable name, so that no planted link
/// or pipe is written through, and is moved there when complete. It replaces whatever is there, a link itself rather than its target; a
/// replaced file keeps its permissions. For one thread.
/// </summary>
internal sealed class UnfinishedFile : IDisposable
{
    private readonly string _path;
    private readonly string _unfinished;

    /// <summary>Creates the file under its unfinished name.</summary>
    /// <param name="path">The final path.</param>
    /// <exception cref="IOException">It cannot be created, or a pipe or device is in its place.</exception>
    public UnfinishedFile(string path)
    {
        if (!OperatingSystem.IsWindows() && UnixFile.IsSpecial(path))
            throw new IOException($"'{path}' is a pipe or a device, not a file.");
        _path = path;
        _unfinished = $"{path}.{Guid.NewGuid():N}.unfinished";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows() && RightsOf(path) is { } rights)
            options.UnixCreateMode = rights;
        try
        {
            Stream = new FileStream(_unfinished, options);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new DirectoryNotFoundException(MissingFolder.Describe(Path.GetDirectoryName(Path.GetFullPath(path))!) ?? e.Message, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnauthorizedAccessException($"'{path}' cannot be written: its folder may not be written to.", e);
        }
    }

    /// <summary>Where to write; the caller may dispose it after the last byte.</summary>
    public FileStream Stream { get; }

    /// <summary>Gives the file its name, once everything written to <see cref="Stream"/> is on disk.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Complete()
    {
        if (Stream.CanWrite)
            Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(_unfinished, _path, overwrite: true);
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    private static UnixFileMode? RightsOf(string path)
    {
        try
        {
            return File.GetUnixFileMode(path);
        }
        catch (IOException)
        {
            // There is no file, or a link leads nowhere.
            return null;
        }
    }

    /// <summary>Removes the file if it was not completed.</summary>
    public void Dispose()
    {
        Stream.Dispose();
        File.Delete(_unfinished);
    }
}
