using System.Diagnostics;

namespace Lockstep.Bench;

/// <summary>This program again, in its own process.</summary>
internal static class SelfProcess
{
    public static ProcessStartInfo With(params string[] arguments) =>
        new(
            Environment.ProcessPath!,
            Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal)
                ? [typeof(SelfProcess).Assembly.Location, .. arguments]
                : arguments
        );

    /// <summary>With the runtime settings that the command line ships with.</summary>
    public static ProcessStartInfo AsShipped(params string[] arguments)
    {
        var start = With(arguments);
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_GCConserveMemory"] = "7";
        return start;
    }
}
