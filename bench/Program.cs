using System.Globalization;
using BenchmarkDotNet.Running;
using Lockstep.Bench.Dialects;
using Lockstep.Bench.EndToEnd;
using Lockstep.Bench.FanOut;
using Lockstep.Bench.Report;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Bench;

/// <summary>
/// The benchmarks: <c>all</c> makes one report; <c>endtoend</c> runs the whole beside its peers, <c>start</c> a sync with nothing to do
/// beside curl, <c>dialects</c> reads other servers' feeds beside a node script, <c>polls</c> polls unchanged lists of up to a million
/// items, <c>endless</c> follows a long feed, <c>read</c> reads a table back, <c>gossip</c> a model beside npm's scuttlebutt,
/// <c>gossip-loss</c> many nodes whose meetings fail, <c>fanout</c> serves many live clients, <c>durable-streams</c> the same beside the
/// server of Durable Streams, <c>cache</c> both through nginx, <c>slow</c> many that do not read, <c>relay</c> a table file that is
/// being synced, <c>postgres</c> a table feed, <c>postgres-writers</c> what tracking costs, <c>variables</c> a change of a tick variable
/// in each store; anything else goes to BenchmarkDotNet (<c>--filter '*Parse*'</c>).
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["endtoend", .. var rest]:
                var rounds = rest.Length > 0 && int.TryParse(rest[0], CultureInfo.InvariantCulture, out var n) ? n : 5;
                Print(EndToEndRun.Tables(rounds, [.. rest.Where(BenchFeed.Names.Contains)]));
                break;
            case ["all", .. var rest]:
                return AllRun.Run(
                    rest.Length > 0 && int.TryParse(rest[0], CultureInfo.InvariantCulture, out var times) ? times : 5,
                    rest.FirstOrDefault(word => word is "write" or "check")
                );
            case ["dialects", .. var rest]:
                Print(DialectRun.Tables(rounds: Number(rest, 0, 3), items: Number(rest, 1, 200_000)));
                break;
            case ["polls", .. var rest]:
                int[] items = [.. rest.Skip(1).Select(r => int.Parse(r, CultureInfo.InvariantCulture))];
                Print(DialectRun.Polls(rounds: Number(rest, 0, 3), items.Length > 0 ? items : DialectRun.PollSizes));
                break;
            case ["dialect-host", var dialect, var count]:
                DialectHost.Run(dialect, int.Parse(count, CultureInfo.InvariantCulture));
                break;
            case ["start", .. var rest]:
                Print([StartRun.Table(rounds: Number(rest, 0, 20))]);
                break;
            case ["endless", .. var rest]:
                EndlessRun.Run(millions: Number(rest, 0, 20));
                break;
            case ["read", .. var rest]:
                Print([ReadRun.Table(rounds: Number(rest, 0, 5))]);
                break;
            case ["gossip", .. var rest]:
                Gossip.GossipBenchmark.RunAsync(rest).GetAwaiter().GetResult();
                break;
            case ["gossip-loss", ..]:
                Gossip.LossRun.Run();
                break;
            case ["host", var file, var repeats]:
                FeedHost.Run(file, long.Parse(repeats, CultureInfo.InvariantCulture));
                break;
            case ["raw", var file, var database, ..]:
                RawLoop.Run(file, database, sorted: args.Contains("sorted"));
                break;
            case ["generate", var name, var file]:
                using (var output = new BufferedStream(File.Create(file), 1 << 20))
                    BenchFeed.Write(name, output);
                break;
            case ["fanout", .. var rest]:
                FanOutRun.Run(
                    clients: Number(rest, 0, 1000),
                    rate: Number(rest, 1, 1000),
                    seconds: Number(rest, 2, 10),
                    rounds: Number(rest, 3, 3)
                );
                break;
            case ["fanout-server", ..]:
                FanOutServer.Run(rate: Number(args, 1, 1000), args.Length > 2 ? Enum.Parse<FeedKind>(args[2]) : FeedKind.Scripted);
                break;
            case ["fanout-clients", _, _, _, var path]:
                FanOutClients.Run(port: Number(args, 1, 0), clients: Number(args, 2, 1000), seconds: Number(args, 3, 10), path);
                break;
            case ["durable-streams", .. var rest]:
                DurableStreamsRun.Run(
                    clients: Number(rest, 0, 1000),
                    rate: Number(rest, 1, 50),
                    seconds: Number(rest, 2, 10),
                    rounds: Number(rest, 3, 3)
                );
                break;
            case ["cache", .. var rest]:
                CacheRun.RunAsync(clients: Number(rest, 0, 10_000), rows: Number(rest, 1, 2000)).GetAwaiter().GetResult();
                CacheRun
                    .FollowAsync(clients: Number(rest, 2, 1000), rate: Number(rest, 3, 10), seconds: Number(rest, 4, 10))
                    .GetAwaiter()
                    .GetResult();
                break;
            case ["slow", var program, .. var served]:
                return SlowRun.Run(program, served) ? 0 : 1;
            case ["relay", .. var rest]:
                RelayRun.RunAsync(rows: Number(rest, 0, 1_000_000), commits: Number(rest, 1, 200)).GetAwaiter().GetResult();
                break;
            case ["postgres", var connection, .. var rest]:
                int[] sizes = [.. rest.Select(r => int.Parse(r, CultureInfo.InvariantCulture))];
                Postgres
                    .FeedRun.RunAsync(
                        connection,
                        sizes.ElementAtOrDefault(0) is > 0 and var rows ? rows : 1_000_000,
                        sizes.ElementAtOrDefault(1) is > 0 and var clients ? clients : 1000
                    )
                    .GetAwaiter()
                    .GetResult();
                break;
            case ["variables", .. var servers]:
                Ticks.SetRun.RunAsync(servers).GetAwaiter().GetResult();
                break;
            case ["postgres-sustained", var connection, .. var rest]:
                Postgres.SustainedRun.RunAsync(connection, minutes: Number(rest, 0, 10)).GetAwaiter().GetResult();
                break;
            case ["postgres-view", var connection, .. var rest]:
                Postgres.ViewRun.RunAsync(connection, rows: Number(rest, 0, 1_000_000)).GetAwaiter().GetResult();
                break;
            case ["postgres-writers", var connection, .. var rest]:
                Postgres.WritersRun.RunAsync(connection, seconds: Number(rest, 0, 10)).GetAwaiter().GetResult();
                break;
            default:
                BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
                break;
        }

        return 0;
    }

    private static void Print(IEnumerable<ComparisonTable> tables)
    {
        foreach (var table in tables)
            Console.WriteLine(table.ToMarkdown());
    }

    private static int Number(string[] args, int index, int usual) =>
        index < args.Length ? int.Parse(args[index], CultureInfo.InvariantCulture) : usual;
}
