using System.Diagnostics;
using System.Globalization;
using Lockstep.Bench.EndToEnd;
using Lockstep.Bench.Gossip;

namespace Lockstep.Bench.FanOut;

/// <summary>
/// The case that Durable Streams publishes: a thousand subscribers by server-sent events to one stream of fifty events per second. Our test
/// server's Durable Stream beside their own server, each with its stream in memory and written to from within its process.
/// </summary>
internal static class DurableStreamsRun
{
    private const string Package = "@durable-streams/server";
    private const string Path = "/v1/stream/items?offset=now&live=sse";

    private const string Theirs = """
        const { DurableStreamTestServer } = require('@durable-streams/server');
        const rate = Number(process.argv[1]), path = '/v1/stream/items';
        const server = new DurableStreamTestServer({ port: 0, host: '127.0.0.1' });
        server.start().then(url => {
          server.store.create(path, { contentType: 'application/json' });
          process.stdin.once('data', () => {
            const start = process.hrtime.bigint();
            let made = 0;
            setInterval(() => {
              const target = Math.floor(Number(process.hrtime.bigint() - start) / 1e9 * rate);
              for (; made <= target; made++) {
                const due = start + BigInt(made) * 1000000000n / BigInt(rate);
                server.store.append(path, Buffer.from(
                  `{"id":${made % 10000},"updated_at":${made},"deleted_at":null,"host":"10.0.0.1","t":${due}}`));
              }
            }, 1);
          });
          console.log(new URL(url).port);
        });
        """;

    public static void Run(int clients, int rate, int seconds, int rounds)
    {
        var text = rate.ToString(CultureInfo.InvariantCulture);
        var ours = new Crowd.Contestant("lockstep", SelfProcess.AsShipped("fanout-server", text, "DurableStream"), Path);
        if (EndToEndRun.Tool.Find("node") is not { } node)
        {
            Console.WriteLine("There is no node here, and so no peer.\n");
            new Crowd(clients, seconds).Run([ours], rounds);
            return;
        }

        using var npm = NpmFolder.With(Package + "@0.3.7");
        Console.WriteLine(
            $"{clients} subscribers by server-sent events, {rate} events/s, {seconds} s measured; medians of {rounds} rounds by turns; "
                + $"{Package} 0.3.7.\n"
        );
        var theirs = new ProcessStartInfo(node, ["-e", Theirs, text]) { WorkingDirectory = npm.Path };
        new Crowd(clients, seconds).Run([ours, new(Package, theirs, Path)], rounds);
    }
}
