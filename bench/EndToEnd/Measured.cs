using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Lockstep.Bench.EndToEnd;

/// <summary>One run of a program: its wall time, its processor time and its peak resident memory.</summary>
internal sealed record Measured(double Seconds, double ProcessorSeconds, double PeakMegabytes)
{
    /// <summary>Runs a program to its end. If its last line is a number alone, that replaces its wall time.</summary>
    public static Measured Run(string program, IEnumerable<string> arguments, bool takesPrintedTime = false)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        var began = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(),
            errors = process.StandardError.ReadToEndAsync();
        double peak = 0,
            cpu = 0;
        while (!process.WaitForExit(5))
        {
            try
            {
                process.Refresh();
                peak = Math.Max(peak, process.PeakWorkingSet64 / 1e6);
                cpu = process.TotalProcessorTime.TotalSeconds;
            }
            catch (Exception e) when (e is InvalidOperationException or Win32Exception)
            {
                // It has just ended, before the look or during it.
            }
        }

        var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {errors.Result}{output.Result}");
        if (takesPrintedTime)
            seconds = double.Parse(output.Result.Trim().Split('\n')[^1], CultureInfo.InvariantCulture);
        return new Measured(seconds, cpu, peak);
    }

    public static Measured Median(IReadOnlyList<Measured> runs) =>
        new(Middle(runs.Select(r => r.Seconds)), Middle(runs.Select(r => r.ProcessorSeconds)), Middle(runs.Select(r => r.PeakMegabytes)));

    private static double Middle(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
