using Lockstep.Postgres.Replication;
using Lockstep.Testing;

namespace Lockstep.Postgres.Tests.Replication;

/// <summary>Nothing that others put beside a change log is written through, truncated or waited for.</summary>
public sealed class PlantedFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<string, Plant> BesideALog { get; } =
        new(from suffix in (string[])[".lock", "-wal", "-shm", "-journal"] from plant in Enum.GetValues<Plant>() select (suffix, plant));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(BesideALog))]
    public async Task Beside_a_change_log(string suffix, Plant plant)
    {
        var planted = new Planted(plant, _folder["log" + suffix]);

        await planted.HoldsAgainstAsync<PostgresReplicationException>(() =>
        {
            ChangeLog.Open(_folder["log"]).Dispose();
            return Task.CompletedTask;
        });
    }

    [Fact]
    public void Two_names_of_one_log_have_one_lock()
    {
        using var log = ChangeLog.Open(_folder["log"]);
        File.CreateSymbolicLink(_folder["other"], _folder["log"]);

        Assert.Throws<PostgresReplicationException>(() => ChangeLog.Open(_folder["other"]));
    }
}
