using System.Globalization;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// A feed that does not say how long it is, 20 times a million records with rising order values over the same ids: how fast a sync follows
/// it, and that memory stays flat.
/// </summary>
internal static class EndlessRun
{
    public static void Run(int millions)
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            string file = Path.Combine(folder.FullName, "F1.ndjson"),
                database = Path.Combine(folder.FullName, "endless.db");
            using (var output = new BufferedStream(File.Create(file), 1 << 20))
                BenchFeed.Write("F1", output);
            using var host = new EndToEndRun.HostProcess(file, millions);
            var run = Measured.Run(EndToEndRun.Lockstep, ["sync", host.Uri, "--path", database, "--quiet"]);
            Console.WriteLine("| records | seconds | records/s | processor seconds | peak MB |");
            Console.WriteLine("| --- | --- | --- | --- | --- |");
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {millions},000,000 | {run.Seconds:0.0} | {millions * 1e6 / run.Seconds:#,0} | "
                        + $"{run.ProcessorSeconds:0.0} | {run.PeakMegabytes:0} |"
                )
            );
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
