using Lockstep.Bench.Report;

namespace Lockstep.Bench.EndToEnd;

/// <summary>
/// What a start costs: a sync that finds nothing new beside curl on the same address, and the program printing its version (<c>start
/// [rounds]</c>).
/// </summary>
internal static class StartRun
{
    private const string Limit = "curl, the same address";

    public static ComparisonTable Table(int rounds)
    {
        var curl =
            EndToEndRun.Tool.Find("curl") ?? throw new FileNotFoundException("The start is measured beside curl, which is not there.");
        var folder = Directory.CreateTempSubdirectory("lockstep-bench-");
        try
        {
            string feed = Path.Combine(folder.FullName, "feed.ndjson"),
                table = Path.Combine(folder.FullName, "start.db");
            File.WriteAllText(feed, """{"id":1,"updated_at":1,"deleted_at":null}""" + "\n");
            using var host = new EndToEndRun.HostProcess(feed, 1);
            string[] sync = ["sync", host.Uri, "--path", table, "--quiet"];
            Measured.Run(EndToEndRun.Lockstep, sync);

            var result = new ComparisonTable("Start", Limit);
            for (var round = 0; round < rounds; round++)
            {
                result.Add(Limit, false, Measured.Run(curl, ["-s", "-o", table + ".curl", host.Uri + "1"]));
                result.Add("lockstep sync, nothing new", true, Measured.Run(EndToEndRun.Lockstep, sync));
                result.Add("lockstep --version", true, Measured.Run(EndToEndRun.Lockstep, ["--version"]));
            }

            return result;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
