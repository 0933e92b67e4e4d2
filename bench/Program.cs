using BenchmarkDotNet.Running;

namespace Lockstep.Bench;

/// <summary>
/// `dotnet run -c Release --project bench -- --filter '*Framing*'` runs the parts; `endtoend` runs the whole beside its peers; `gossip` runs a model beside npm's scuttlebutt.
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["gossip", .. var rest]: return await Gossip.GossipBenchmark.RunAsync(rest).ConfigureAwait(false);
        }

        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        return 0;
    }
}
