using BenchmarkDotNet.Running;

namespace Lockstep.Bench;

/// <summary>`dotnet run -c Release --project bench -- --filter '*Framing*'` runs the parts; `endtoend` runs the whole beside its peers.</summary>
internal static class Program
{
    private static void Main(string[] args) => BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
