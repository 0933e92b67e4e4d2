using System.Globalization;
using BenchmarkDotNet.Running;
using Lockstep.Bench.FanOut;

namespace Lockstep.Bench;

/// <summary>`dotnet run -c Release --project bench -- --filter '*Framing*'` runs the parts; `endtoend` runs the whole beside its peers; `fanout` many live clients.</summary>
internal static class Program
{
    private static void Main(string[] args)
    {
        switch (args)
        {
            case ["fanout", .. var rest]:
                FanOutRun.Run(clients: Number(rest, 0, 1000), rate: Number(rest, 1, 1000), seconds: Number(rest, 2, 10), rounds: Number(rest, 3, 3));
                break;
            case ["fanout-server", var rate]:
                FanOutServer.Run(Number([rate], 0, 0));
                break;
            case ["fanout-clients", var port, var clients, var seconds]:
                FanOutClients.Run(Number([port], 0, 0), Number([clients], 0, 0), Number([seconds], 0, 0));
                break;
            default:
                BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
                break;
        }
    }

    private static int Number(string[] args, int index, int usual) => index < args.Length ? int.Parse(args[index], CultureInfo.InvariantCulture) : usual;
}
