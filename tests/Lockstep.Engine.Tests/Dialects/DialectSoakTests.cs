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
}
