using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>Only its user can read a private table, and everything that SQLite keeps beside it, and a copy of it.</summary>
public sealed class PrivateFileTests : IDisposable
{
    private const string Windows = "Files on Windows have the permissions of their folder.";
    private readonly TempFolder _folder = new();

    private string Path => _folder["t.db"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_new_table_is_private_from_its_first_byte_on()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip(Windows);
            return;
        }

        using (await OpenAsync(isPrivate: true))
        {
            foreach (var file in Directory.GetFiles(_folder.Path, "t.db*").Where(file => !file.EndsWith("-lock", StringComparison.Ordinal)))
                Assert.Equal((file, UnixFile.Private), (file, File.GetUnixFileMode(file)));
            Assert.True(File.Exists(Path + "-wal"));
        }
    }

    [Fact]
    public async Task A_table_that_others_could_read_is_taken_from_them()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip(Windows);
            return;
        }

        (await OpenAsync(isPrivate: false)).Dispose();
        // One that is not used is removed when it is closed.
        TableWriter.Open(Path, "t", WriterLock.Take(Path)).Dispose();
        File.SetUnixFileMode(Path, UnixFile.Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

        using (await OpenAsync(isPrivate: true))
            Assert.Equal(UnixFile.Private, File.GetUnixFileMode(Path));
    }

    [Fact]
    public async Task A_copy_has_the_rights_of_its_table()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip(Windows);
            return;
        }

        using (await OpenAsync(isPrivate: true))
        {
            new Table(Path).Backup(_folder["copy.db"]);
        }

        Assert.Equal(UnixFile.Private, File.GetUnixFileMode(_folder["copy.db"]));
    }

    [Fact]
    public async Task On_Windows_it_is_refused_with_what_to_do_instead()
    {
        if (!OperatingSystem.IsWindows())
            Assert.Skip("Only Windows gives files the rights of their folder.");

        var error = await Assert.ThrowsAsync<TableFileException>(() => OpenAsync(isPrivate: true));

        Assert.Contains("folder", error.RecommendedAction, StringComparison.Ordinal);
    }

    private Task<ITableTarget> OpenAsync(bool isPrivate) =>
        new FileTableStore(Path) { IsPrivate = isPrivate }.OpenAsync(
            "t",
            new WriterOptions(Waits: false, IsServed: true),
            TimeProvider.System,
            TestContext.Current.CancellationToken
        );
}
