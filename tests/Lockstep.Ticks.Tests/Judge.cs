using Lockstep.Engine.Ticks;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>Compares what the workers saw with the schedules as they turned out.</summary>
/// <param name="schedules">The schedules at the end; nothing was purged.</param>
/// <param name="tolerance">How far from a tuple's instant a process may switch.</param>
/// <param name="ready">When all workers were there.</param>
/// <param name="downAt">When the store was taken away.</param>
/// <param name="upAt">When it was back.</param>
internal sealed class Judge(
    Dictionary<string, TickSchedule> schedules, TimeSpan tolerance, DateTimeOffset ready, DateTimeOffset downAt, DateTimeOffset upAt)
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    /// <summary>How long after the boundary a busy process may say it.</summary>
    private static readonly TimeSpan Notice = TimeSpan.FromMilliseconds(500);

    /// <summary>Half the time that there is between a refresh and its boundary at the smallest tick.</summary>
    private static readonly TimeSpan LongStall = TimeSpan.FromMilliseconds(75);

    private readonly List<double> _distances = [];
    private int _excused;
    private int _reads;
    private int _intervals;
    private int _judgedIntervals;

    public List<string> Faults { get; } = [];

    /// <summary>The variables of the faults.</summary>
    public IEnumerable<string> Faulty => Faults.Select(fault => fault.Split(':')[0]).Where(schedules.ContainsKey).Distinct();

    /// <summary>How many switches a process had said it might miss although the store was there: a read took longer than the settings allow for.</summary>
    public int Announced { get; private set; }

    /// <summary>Whether the machine had so much else to do that the outcome says little; whatever is a fault still is one.</summary>
    public bool IsMachineTooBusy => HeldUp + Announced > Seen / 10 || _judgedIntervals < _intervals / 3;

    /// <summary>How many switches came late because the machine ran no timer of that process then.</summary>
    public int HeldUp { get; private set; }

    /// <summary>How many switches were seen in time.</summary>
    public int Seen => _distances.Count;

    public void Hear(TimeSpan skew, Report report)
    {
        if (report.SkewWarnings > 0) Faults.Add($"{report.SkewWarnings} warnings of a skew of {skew.TotalMilliseconds} ms, which is within the bound");
        foreach (var (name, schedule) in schedules)
        {
            JudgeSwitches(name, schedule, skew, report);
            JudgeReads(name, schedule, skew, report);
        }
    }

    public override string ToString()
    {
        _distances.Sort();
        return $"{Seen} switches in time, {_excused} not by processes that said so while the store was away, {Announced} not by processes that said so otherwise, {HeldUp} held up by the machine; farthest from its instant {_distances.LastOrDefault():0} ms, "
            + $"half within {(Seen == 0 ? 0 : _distances[Seen / 2]):0} ms. {_reads} reads in {_intervals} process ticks, {_judgedIntervals} of them undisturbed; the store was away {downAt:ss.fff}-{upAt:ss.fff}. {string.Join("; ", Faults.Take(8))}";
    }

    private void JudgeSwitches(string name, TickSchedule schedule, TimeSpan skew, Report report)
    {
        var tuples = schedule.Tuples.Where(tuple => tuple.ActiveAt > ready && tuple.ActiveAt < report.Stopped - tolerance).ToList();
        var expected = tuples.Select(tuple => tuple.Json.Trim('"')).ToHashSet(StringComparer.Ordinal);
        var seen = report.Sightings.Where(sighting => sighting.Variable == name).ToList();
        foreach (var sighting in seen.Where(sighting => sighting.NewAt > ready && !expected.Contains(sighting.Value ?? "")))
        {
            // A removal that was committed just before the store went away.
            if (NearOutage(sighting.NewAt, sighting.OldAt) && WasStale(name, sighting.NewAt, report)) _excused++;
            else Faults.Add($"{name}: {sighting.Value} was seen and is not on the schedule{Circumstances(name, sighting.NewAt, skew, report)}");
        }

        foreach (var tuple in tuples)
        {
            var sighting = seen.Find(sighting => sighting.Value == tuple.Json.Trim('"'));
            var late = sighting is null || sighting.OldAt - tuple.ActiveAt > tolerance;
            var wrong = late || tuple.ActiveAt - sighting!.NewAt > tolerance;
            if (wrong && WasStale(name, tuple.ActiveAt, report))
            {
                if (NearOutage(tuple.ActiveAt, tuple.ActiveAt)) _excused++;
                else Announced++;
            }
            else if (late && sighting is not null && WasHeldUp(tuple.ActiveAt - skew, sighting.OldAt, report))
            {
                HeldUp++;
            }
            else if (wrong)
            {
                Faults.Add($"{name}: a process with a skew of {skew.TotalMilliseconds:0} ms saw the value of {tuple.ActiveAt:ss.fff} "
                    + (sighting is null ? "never" : $"between {sighting.OldAt:ss.fff} and {sighting.NewAt:ss.fff}")
                    + Circumstances(name, tuple.ActiveAt, skew, report));
            }
            else
            {
                // The least distance that the two looks allow.
                var early = (tuple.ActiveAt - sighting!.NewAt).TotalMilliseconds;
                _distances.Add(Math.Max(0, Math.Max(early, (sighting.OldAt - tuple.ActiveAt).TotalMilliseconds)));
            }
        }
    }

    /// <summary>
    /// One read per tick, none while the store was away and one to catch up; in all no more than the ticks and one for the start. A process that said it might be
    /// late was, as on a machine that has just started all of them.
    /// </summary>
    private void JudgeReads(string name, TickSchedule schedule, TimeSpan skew, Report report)
    {
        var reads = report.Reads.Where(read => read.Variable == name).Select(read => read.Begun).ToList();
        var end = report.Stopped + skew;
        if (reads.Count > Intervals(schedule, reads[0], end) + 1) Faults.Add($"{name}: {reads.Count} reads in all by a process with a skew of {skew.TotalMilliseconds:0} ms");
        for (var from = schedule.BoundaryBefore(reads[0]); schedule.NextCheckAt(from) < end; from = schedule.NextCheckAt(from))
        {
            var to = schedule.NextCheckAt(from);
            var count = reads.Count(read => read >= from && read < to);
            _intervals++;
            _reads += count;
            if (from <= ready || WasStale(name, from - skew, report) || WasStale(name, to - skew, report) || NearOutage(from - skew, to - skew)) continue;
            if (report.Stalls.Any(stall => stall.To > from - skew && stall.From < to - skew && stall.To - stall.From > LongStall)) continue;
            _judgedIntervals++;
            if (count != 1) Faults.Add($"{name}: {count} reads from {from:ss.fff} to {to:ss.fff} by a process with a skew of {skew.TotalMilliseconds:0} ms");
        }
    }

    private static string Circumstances(string name, DateTimeOffset at, TimeSpan skew, Report report)
    {
        var around = TimeSpan.FromSeconds(3);
        var reads = report.Reads.Where(read => read.Variable == name && (read.Begun - at).Duration() < around).Select(read => $"{read.Begun - skew:ss.fff}");
        var stale = report.Stale.Where(span => span.Variable == name && span.To > at - around && span.From < at + around).Select(span => $"{span.From:ss.fff}-{span.To:ss.fff}");
        return $" (reads {string.Join(' ', reads)}; said it might be late {string.Join(' ', stale)})";
    }

    private static int Intervals(TickSchedule schedule, DateTimeOffset from, DateTimeOffset to)
    {
        var count = 1;
        while ((from = schedule.NextCheckAt(from)) < to) count++;
        return count;
    }

    private static bool WasHeldUp(DateTimeOffset due, DateTimeOffset lastOld, Report report) =>
        report.Stalls.Any(stall => stall.From - Short <= due && due <= stall.To && lastOld <= stall.To + Short);

    private bool NearOutage(DateTimeOffset from, DateTimeOffset to) => to > downAt && from < upAt + TimeSpan.FromSeconds(2.3);

    /// <summary>Whether the process said then that it might be late.</summary>
    private bool WasStale(string name, DateTimeOffset at, Report report) =>
        report.Stale.Any(stale => stale.Variable == name && at >= stale.From - Notice && at <= stale.To + tolerance);
}
