using Lockstep.Engine;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;
using Lockstep.Testing;

namespace Lockstep.Gossip.Tests;

/// <summary>
/// Nothing that others put beside a node's file, or in the place of an export, is written through, truncated or waited for.
/// </summary>
public sealed class PlantedFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string, Plant> BesideANode { get; } =
        new(from suffix in (string[])["-lock", "-wal", "-shm", "-journal"] from plant in Enum.GetValues<Plant>() select (suffix, plant));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BesideANode))]
    public async Task Beside_a_nodes_file(string suffix, Plant plant)
    {
        var planted = new Planted(plant, _folder["m.db" + suffix]);

        await planted.HoldsAgainstAsync<LockstepException>(async () =>
        {
            await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
            model.Set("a", 1);
        });
    }

    [Theory]
    [InlineData(Plant.Link)]
    [InlineData(Plant.DanglingLink)]
    [InlineData(Plant.Pipe)]
    public async Task In_the_place_of_an_export(Plant plant)
    {
        await using var model = new LockstepModel(new GossipNodeOptions());
        var planted = new Planted(plant, _folder["export"]);

        await planted.HoldsAgainstAsync<IOException>(() => GossipFile.ExportAsync(model, _folder["export"]));

        Assert.Null(new FileInfo(_folder["export"]).LinkTarget);
    }

    [Fact]
    public async Task Two_names_of_one_file_are_one_node()
    {
        await using var model = new LockstepModel(new GossipNodeOptions { Path = _folder["m.db"] });
        File.CreateSymbolicLink(_folder["other.db"], _folder["m.db"]);

        Assert.Throws<GossipStoreException>(() => new LockstepModel(new GossipNodeOptions { Path = _folder["other.db"] }));
    }
}
