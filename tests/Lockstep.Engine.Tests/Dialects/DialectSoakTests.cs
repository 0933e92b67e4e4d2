using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Dialects.Soak;
using Lockstep.Engine.Tests.Reliability;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Dialects;

/// <summary>Whatever the servers of each dialect do, the table ends with what they have. A failure names its seed.</summary>
public sealed class DialectSoakTests : SyncTest
{
    [Theory]
    [MemberData(nameof(SoakServers.Names), MemberType = typeof(SoakServers))]
    [Trait("Invariant", "I2")]
    public async Task A_table_ends_as_its_server(string name)
    {
        var first = LongForm.Seed(1);
        for (var seed = first; seed < first + LongForm.Of(20, 500); seed++)
        {
            var path = Folder($"{name}{seed}.db");
            await using var server = SoakServers.Create(name, seed);
            await new DialectSoak(server, new FileTableStore(path), () => new Table(path), Cancellation).RunAsync(seed);
            File.Delete(path);
        }
    }

    [Theory]
    [MemberData(nameof(SoakServers.Names), MemberType = typeof(SoakServers))]
    [Trait("Invariant", "I1")]
    public async Task A_table_ends_as_its_server_when_its_disk_is_full_at_times(string name)
    {
        using var disk = SmallDisk.Create();
        var first = LongForm.Seed(1);
        for (var seed = first; seed < first + LongForm.Of(5, 200); seed++)
        {
            var path = disk[$"full{seed}.db"];
            await using var server = SoakServers.Create(name, seed);
            await new DialectSoak(server, new FileTableStore(path), () => new Table(path), Cancellation).RunFullAsync(seed, disk);
            File.Delete(path);
        }

        Assert.True(disk.Refusals > 0, "The disk was never too full.");
    }

    [Theory]
    [MemberData(nameof(SoakServers.Names), MemberType = typeof(SoakServers))]
    [Trait("Invariant", "I1")]
    public async Task A_table_ends_as_its_server_when_the_process_is_killed(string name)
    {
        var first = LongForm.Seed(1);
        var killed = 0;
        for (var seed = first; seed < first + LongForm.Of(2, 60); seed++)
        {
            var path = Folder($"killed {name}{seed}.db");
            await using var server = SoakServers.Create(name, seed);
            var sync = new KilledSync(path);
            await new DialectSoak(server, new FileTableStore(path), () => new Table(path), Cancellation).RunKilledAsync(seed, sync);
            killed += sync.Killed;
        }

        Assert.True(killed > 0, "No process was killed while it ran.");
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {killed} processes were killed");
    }
}
