using Lockstep.Engine;
using Lockstep.Testing;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// Nothing that others put beside a store's file, or in the place of a bootstrap file, is written through, truncated or waited for.
/// </summary>
public sealed class PlantedFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string, Plant> BesideAStore { get; } =
        new(from suffix in (string[])["-journal", "-wal", "-shm"] from plant in Enum.GetValues<Plant>() select (suffix, plant));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BesideAStore))]
    public async Task Beside_a_stores_file(string suffix, Plant plant)
    {
        var planted = new Planted(plant, _folder["v.db" + suffix]);
        await using var store = new SqliteTickStore(_folder["v.db"], new TickSettings(TimeSpan.FromSeconds(1), null, TimeSpan.Zero));

        await planted.HoldsAgainstAsync<LockstepException>(() => store.ReadSettingsAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(Plant.Link)]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task In_the_place_of_the_writers_queue(Plant plant)
    {
        var planted = new Planted(plant, _folder["v.db-waiting"]);

        await planted.HoldsAgainstAsync<IOException>(() =>
        {
            using var queue = new SqliteQueue(_folder["v.db-waiting"]);
            queue.Wait();
            Assert.True(queue.IsFirst());
            return Task.CompletedTask;
        });

        Assert.DoesNotContain(
            Directory.GetFiles(_folder.Path, "v.db-waiting.*"),
            file => !file.EndsWith(".victim", StringComparison.Ordinal)
        );
    }

    [Theory]
    [InlineData(Plant.Link)]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task In_the_place_of_a_bootstrap_file(Plant plant)
    {
        var planted = new Planted(plant, _folder["boot.json"]);

        await planted.HoldsAgainstAsync<IOException>(() =>
        {
            new TickBootstrapFile(_folder["boot.json"]).Save(TickStoreStamp.Unknown, []);
            return Task.CompletedTask;
        });

        Assert.Null(new FileInfo(_folder["boot.json"]).LinkTarget);
    }
}
