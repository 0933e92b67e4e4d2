using System.Globalization;
using BenchmarkDotNet.Running;
using Lockstep.Bench.EndToEnd;

namespace Lockstep.Bench;

/// <summary>The benchmarks: <c>endtoend</c> runs the whole beside its peers, <c>postgres</c> a table feed, anything else goes to BenchmarkDotNet (<c>--filter '*Parse*'</c>).</summary>
internal static class Program
{
    private static void Main(string[] args)
    {
        switch (args)
        {
            case ["endtoend", .. var rest]:
                int rounds = rest.Length > 0 && int.TryParse(rest[0], CultureInfo.InvariantCulture, out int n) ? n : 5;
                EndToEndRun.Run(rounds, [.. rest.Where(BenchFeed.Names.Contains)]);
                break;
            case ["host", var file, var repeats]:
                FeedHost.Run(file, long.Parse(repeats, CultureInfo.InvariantCulture));
                break;
            case ["raw", var file, var database, ..]:
                RawLoop.Run(file, database, sorted: args.Contains("sorted"));
                break;
            case ["generate", var name, var file]:
                using (var output = new BufferedStream(File.Create(file), 1 << 20)) BenchFeed.Write(name, output);
                break;
            case ["postgres", var connection, .. var rest]:
                int[] sizes = [.. rest.Select(r => int.Parse(r, CultureInfo.InvariantCulture))];
                Postgres.FeedRun.RunAsync(connection, sizes.ElementAtOrDefault(0) is > 0 and var rows ? rows : 1_000_000, sizes.ElementAtOrDefault(1) is > 0 and var clients ? clients : 1000)
                    .GetAwaiter().GetResult();
                break;
            default:
                BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
                break;
        }
    }
}
