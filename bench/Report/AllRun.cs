using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Lockstep.Bench.Dialects;
using Lockstep.Bench.EndToEnd;
using Microsoft.Data.Sqlite;

namespace Lockstep.Bench.Report;

/// <summary>
/// Everything as one report in Markdown: <c>all [rounds]</c> prints it, <c>all [rounds] write</c> writes it to docs/PERFORMANCE.md, and
/// <c>all [rounds] check</c> measures again and fails if a ratio is more than 15% above the one written there.
/// </summary>
internal static class AllRun
{
    private const double Allowed = 1.15;
    private const int DialectItems = 100_000;

    /// <summary>Ratios are written with two digits, and some are a hundredth.</summary>
    private const double Rounding = 0.005;
    private const string Begin = "<!-- report: bench -- all write -->",
        End = "<!-- end of the report -->";

    /// <summary>
    /// Runs that print their own figures: in a table with ratios to a peer, or as text if there is nothing to compare with.
    /// </summary>
    private static readonly (string Title, string[] Arguments)[] Texts =
    [
        ("A feed without an end", ["endless", "5"]),
        ("Relay of a table file", ["relay", "200000", "200"]),
        ("Fan-out", ["fanout", "1000", "1000", "5", "3"]),
        ("Durable Streams", ["durable-streams", "1000", "50", "5", "3"]),
        ("Behind a cache", ["cache", "10000", "2000"]),
        ("Gossip", ["gossip"]),
        ("Gossip where meetings fail", ["gossip-loss"]),
    ];

    /// <returns>The process's exit code.</returns>
    public static int Run(int rounds, string? purpose)
    {
        var document = Path.Combine(EndToEndRun.Root, "docs", "PERFORMANCE.md");
        List<ComparisonTable> tables = [.. EndToEndRun.Tables(rounds, []), StartRun.Table(rounds * 4), ReadRun.Table(rounds)];
        if (DialectRun.IsPossible)
            tables.AddRange([.. DialectRun.Tables(rounds, DialectItems), .. DialectRun.Polls(rounds, DialectRun.PollSizes)]);
        else
            Console.Error.WriteLine("Dialects are left out: they are measured beside node and better-sqlite3.");
        if (purpose == "check")
        {
            var told = Texts.SelectMany(text => ComparisonTable.Ratios(Told(text.Title, text.Arguments)));
            return Check(tables.SelectMany(table => table.OurRatios).Concat(told), ComparisonTable.Ratios(File.ReadAllText(document)));
        }

        var report = new StringBuilder().AppendLine(Machine(rounds));
        foreach (var table in tables)
            report.AppendLine(table.ToMarkdown());
        foreach (var (title, arguments) in Texts)
            report.AppendLine(Told(title, arguments));
        if (purpose == "write")
            Write(document, report.ToString());
        else
            Console.WriteLine(report);
        return 0;
    }

    private static int Check(IEnumerable<KeyValuePair<string, double>> ratios, IReadOnlyDictionary<string, double> written)
    {
        var slower = 0;
        foreach (var (row, ratio) in ratios)
        {
            if (!written.TryGetValue(row, out var before))
            {
                Console.WriteLine($"new    {row}: {ratio.ToString("0.00", CultureInfo.InvariantCulture)}, not in the report");
                continue;
            }

            var isSlower = ratio > (before * Allowed) + Rounding;
            slower += isSlower ? 1 : 0;
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{(isSlower ? "SLOWER" : "ok    ")} {row}: {ratio:0.00}, written {before:0.00}"
                )
            );
        }

        return slower > 0 ? 1 : 0;
    }

    private static void Write(string document, string report)
    {
        var text = File.ReadAllText(document);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal),
            end = text.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
            throw new InvalidDataException($"{document} has no place for the report: {Begin} and {End}.");
        File.WriteAllText(document, $"{text[..(begin + Begin.Length)]}\n\n{report.TrimEnd()}\n\n{text[end..]}");
    }

    private static string Machine(int rounds)
    {
        using var sqlite = new SqliteConnection("Data Source=:memory:");
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            {RuntimeInformation.OSDescription}, {Processor()}, {Environment.ProcessorCount} cores, {memory} GiB.
            Lockstep {Output(EndToEndRun.Lockstep, ["--version"]).Split('+')[
                0
            ].Trim()}, .NET {Environment.Version}, SQLite {sqlite.ServerVersion}{Peer("node")}{Peer("python3")}.
            Medians of {rounds} interleaved runs; the spread is from the fastest to the slowest of them, as a part of the median.

            """
        );
    }

    private static string Processor() =>
        File.Exists("/proc/cpuinfo")
        && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            : RuntimeInformation.ProcessArchitecture.ToString();

    private static string Peer(string name) =>
        EndToEndRun.Tool.Find(name) is { } program
            ? $", {name} {Output(program, ["--version"]).Replace("Python", "", StringComparison.Ordinal).Trim()}"
            : "";

    private static string Told(string title, string[] arguments)
    {
        string output;
        try
        {
            output = Output(SelfProcess.With(arguments));
        }
        catch (InvalidOperationException e)
        {
            output = $"Not run here: {e.Message.ReplaceLineEndings(" ")}";
        }

        return output.Contains("| ---", StringComparison.Ordinal)
            ? $"### {title}\n\n{output.Trim()}\n"
            : $"### {title}\n\n```\n{output.Trim()}\n```\n";
    }

    private static string Output(string program, string[] arguments) => Output(new ProcessStartInfo(program, arguments));

    private static string Output(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException(errors.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault() ?? "");
    }
}
