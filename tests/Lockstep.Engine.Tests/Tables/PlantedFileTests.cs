using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tables.Native;
using Lockstep.Testing;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Engine.Tests.Tables;

/// <summary>
/// In a folder that others can write to, nothing that they put in the place of a file is written through, truncated or waited for. What
/// Gossip, Postgres, Ticks and the module create has tests of the same name there.
/// </summary>
public sealed partial class PlantedFileTests : IDisposable
{
    /// <summary>
    /// All code that creates files by path, and the test that confronts it with planted ones. If you add to it, add a test. A new temporary
    /// folder belongs to this user.
    /// </summary>
    private static readonly Dictionary<string, string> Makers = new()
    {
        ["Engine/Tables/UnfinishedFile.cs"] =
            "a new name that nobody can foresee, which then takes its place: An_export..., exports, recordings, bootstrap files",
        ["Engine/Tables/LockFile.cs"] = "what is there is looked at: Beside_a_table, WriterLockTests",
        ["Engine/Tables/PrivateFile.cs"] = "made only where there is nothing: A_private_table",
        ["Engine/Tables/TableBackup.cs"] = "a new name that nobody can foresee: A_backup",
        ["Engine/Tables/TableFile.cs"] = "the path that the user gave; SQLite follows no link beside it: Beside_a_table",
        ["Gossip/Persistence/GossipStore.cs"] = "the path that the user gave: PlantedFileTests there",
        ["Postgres/Feed/RowSpill.cs"] = "a new name that nobody can foresee",
        ["Postgres/Replication/ChangeLog.cs"] = "the path that the user gave: PlantedFileTests there",
        ["Ticks/SqliteQueue.cs"] = "a new name that nobody can foresee, which then takes its place: PlantedFileTests there",
        ["Ticks/SqliteTickStore.cs"] = "the path that the user gave: PlantedFileTests there",
    };

    private readonly TempFolder _folder = new();

    public static TheoryData<string, Plant> BesideATable { get; } =
        new(from suffix in (string[])["-lock", "-wal", "-shm", "-journal"] from plant in Enum.GetValues<Plant>() select (suffix, plant));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BesideATable))]
    public async Task Beside_a_table(string suffix, Plant plant)
    {
        var planted = new Planted(plant, _folder["t.db" + suffix]);

        await planted.HoldsAgainstAsync<TableFileException>(() => SyncAsync(new FileTableStore(_folder["t.db"])));
    }

    [Theory]
    [InlineData(Plant.Link)]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task An_export_or_recording_takes_the_place_of_a_link_and_not_of_its_target(Plant plant)
    {
        await using var server = await LockstepTestServer.StartAsync(
            new() { Feed = FeedKind.Scripted, Records = ["""{"id":1,"updated_at":1}"""] },
            cancellationToken: TestContext.Current.CancellationToken
        );
        var planted = new Planted(plant, _folder["r"]);

        await planted.HoldsAgainstAsync<IOException>(() =>
            FeedRecorder.RecordAsync(new FeedOptions { Uri = server.FeedUri }, Cursor.Start, _folder["r"], new() { MaximumBytes = 5 })
        );

        Assert.Equal(plant == Plant.Pipe, UnixFile.IsSpecial(_folder["r"]));
        Assert.Null(new FileInfo(_folder["r"]).LinkTarget);
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.unfinished"));
    }

    [Theory]
    [InlineData(Plant.Link)]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task A_backup(Plant plant)
    {
        await SyncAsync(new FileTableStore(_folder["t.db"]));
        var planted = new Planted(plant, _folder["copy.db"]);

        await planted.HoldsAgainstAsync<TableFileException>(() =>
        {
            new FileTableStore(_folder["t.db"]).Table.Backup(_folder["copy.db"]);
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task A_private_table(Plant plant)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Files on Windows have the permissions of their folder.");
            return;
        }

        var planted = new Planted(plant, _folder["t.db-wal"]);

        await planted.HoldsAgainstAsync<TableFileException>(() => SyncAsync(new FileTableStore(_folder["t.db"]) { IsPrivate = true }));
    }

    [Fact]
    public void A_file_that_is_replaced_keeps_its_rights()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Files on Windows have the permissions of their folder.");
            return;
        }

        File.WriteAllText(_folder["f"], "old");
        File.SetUnixFileMode(_folder["f"], UnixFile.Private);

        using (var file = new UnfinishedFile(_folder["f"]))
        {
            file.Stream.Write("new"u8);
            file.Complete();
        }

        Assert.Equal("new", File.ReadAllText(_folder["f"]));
        Assert.Equal(UnixFile.Private, File.GetUnixFileMode(_folder["f"]));
    }

    [Fact]
    public void A_file_that_is_not_completed_leaves_what_was_there()
    {
        File.WriteAllText(_folder["f"], "old");

        using (var file = new UnfinishedFile(_folder["f"]))
            file.Stream.Write("ne"u8);

        Assert.Equal("old", File.ReadAllText(_folder["f"]));
        Assert.Equal([_folder["f"]], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Nothing_else_makes_files()
    {
        var sources = Path.GetFullPath(Path.Combine(Here(), "../../../src"));
        Assert.Equal(
            Makers.Keys.Order(StringComparer.Ordinal),
            Directory
                .GetFiles(sources, "*.cs", SearchOption.AllDirectories)
                .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
                .Where(file => Makes().IsMatch(File.ReadAllText(file)))
                .Select(file => Path.GetRelativePath(sources, file).Replace('\\', '/')["Lockstep.".Length..])
                .Order(StringComparer.Ordinal)
        );
    }

    private static async Task SyncAsync(FileTableStore store)
    {
        var target = await store.OpenAsync(
            "t",
            new WriterOptions(Waits: false, IsServed: true),
            TimeProvider.System,
            CancellationToken.None
        );
        target.Dispose();
    }

    private static string Here([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex(
        @"FileMode\.(Create|CreateNew|OpenOrCreate|Append|Truncate)\b"
            + @"|File\.(Create|Write|Append|Copy)\w*\(|StreamWriter\(path|new SqliteConnection\(|GetTempFileName"
    )]
    private static partial Regex Makes();
}
