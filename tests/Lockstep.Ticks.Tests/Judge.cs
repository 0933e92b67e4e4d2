using Lockstep.Ticks;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>
/// Compares what the workers saw with the final schedules. The contract allows for exceptions: "never late" does not cover a process whose
/// last refresh is too old for the instant, and which says so. Both are checked: what it said and when it had read the store.
/// </summary>
/// <param name="schedules">The schedules at the end; nothing was purged.</param>
/// <param name="settings">The store's settings.</param>
/// <param name="tolerance">How far from a tuple's instant a process may switch.</param>
/// <param name="ready">When all workers were up.</param>
/// <param name="downAt">When the store went down.</param>
/// <param name="upAt">When it was back up.</param>
/// <param name="reportedLate">Values of changes whose commit was reported as late: the contract promises nothing for them.</param>
internal sealed class Judge(
    Dictionary<string, TickSchedule> schedules,
    TickSettings settings,
    TimeSpan tolerance,
    DateTimeOffset ready,
    DateTimeOffset downAt,
    DateTimeOffset upAt,
    IReadOnlySet<(string Variable, string Value)> reportedLate
)
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Moment = new(1);

    /// <summary>Half the time between a refresh and its boundary at the smallest tick.</summary>
    private static readonly TimeSpan LongStall = TimeSpan.FromMilliseconds(75);

    private readonly List<double> _distances = [];
    private int _excused;
    private int _reads;
    private int _intervals;
    private int _judgedIntervals;

    public List<string> Faults { get; } = [];

    /// <summary>The variables of the faults.</summary>
    public IEnumerable<string> Faulty => Faults.Select(fault => fault.Split(':')[0]).Where(schedules.ContainsKey).Distinct();

    /// <summary>
    /// How many switches a process had said it might miss although the store was up: a read or a commit took longer than the settings
    /// allow.
    /// </summary>
    public int Announced { get; private set; }

    /// <summary>Whether the machine was too busy for the outcome to say much; a fault is still a fault.</summary>
    public bool IsMachineTooBusy => HeldUp + Announced > Seen / 10 || _judgedIntervals < _intervals / 3;

    /// <summary>How many switches came late because the machine ran no timer of that process then.</summary>
    public int HeldUp { get; private set; }

    /// <summary>How many switches were seen in time.</summary>
    public int Seen => _distances.Count;

    public void Hear(TimeSpan skew, Report report)
    {
        if (report.SkewWarnings > 0)
            Faults.Add($"{report.SkewWarnings} warnings of a skew of {skew.TotalMilliseconds} ms, which is within the bound");
        foreach (var (name, schedule) in schedules)
        {
            var process = new Process(
                name,
                schedule,
                skew,
                report,
                [.. report.Sightings.Where(sighting => sighting.Variable == name)],
                [.. report.Reads.Where(read => read.Variable == name)]
            );
            foreach (var tuple in schedule.Tuples.Where(tuple => tuple.ActiveAt > ready && tuple.ActiveAt < report.Stopped - tolerance))
                JudgeTuple(process, tuple);
            foreach (var sighting in process.Sightings.Where(sighting => sighting.NewAt > ready))
                JudgeSighting(process, sighting);
            JudgeReads(process);
        }
    }

    public override string ToString()
    {
        _distances.Sort();
        return $"{Seen} switches in time, {_excused} not by processes that said so while the store was away, {Announced} not by "
            + $"processes that said so otherwise, {HeldUp} held up by the machine; farthest from its instant "
            + $"{_distances.LastOrDefault():0} ms, "
            + $"half within {(Seen == 0 ? 0 : _distances[Seen / 2]):0} ms. {_reads} reads in {_intervals} process ticks, "
            + $"{_judgedIntervals} of them undisturbed; the store was away {downAt:ss.fff}-{upAt:ss.fff}. "
            + $"{string.Join("; ", Faults.Take(8))}";
    }

    /// <summary>Every value of the schedule is seen at its instant.</summary>
    private void JudgeTuple(Process process, TickTuple tuple)
    {
        var seen = process.Sightings.Where(sighting => sighting.Value == Value(tuple)).ToList();
        if (
            seen.Find(sighting => sighting.OldAt - tuple.ActiveAt <= tolerance && tuple.ActiveAt - sighting.NewAt <= tolerance) is
            { } inTime
        )
        {
            // The least distance that the two looks allow.
            _distances.Add(
                Math.Max(0, Math.Max((tuple.ActiveAt - inTime.NewAt).TotalMilliseconds, (inTime.OldAt - tuple.ActiveAt).TotalMilliseconds))
            );
        }
        else if (reportedLate.Contains((process.Name, Value(tuple))))
        {
            Announced++;
        }
        else if (process.SaidStaleAt(tuple.ActiveAt) && !KnewOf(process, tuple))
        {
            Excuse(process, tuple.ActiveAt);
        }
        else if (
            seen is [var first, ..]
            && first.OldAt - tuple.ActiveAt > tolerance
            && process.WasHeldUp(tuple.ActiveAt - process.Skew, first.OldAt)
        )
        {
            HeldUp++;
        }
        else
        {
            Faults.Add(
                $"{process.Name}: a process with a skew of {process.Skew.TotalMilliseconds:0} ms saw the value of {tuple.ActiveAt:ss.fff} "
                    + (seen is [var some, ..] ? $"between {some.OldAt:ss.fff} and {some.NewAt:ss.fff}" : "never")
                    + process.Circumstances(tuple.ActiveAt)
            );
        }
    }

    /// <summary>Every value seen is the schedule's, or one that a process cut off from the store could not know better than.</summary>
    private void JudgeSighting(Process process, Sighting sighting)
    {
        if (process.IsRight(sighting.Value, sighting.OldAt - tolerance, sighting.NewAt + tolerance))
            return;
        if (reportedLate.Contains((process.Name, sighting.Value ?? "")))
        {
            Announced++;
        }
        else if (
            process.SwitchOf(sighting) is { IsStale: true } said
            && said.LastRefresh - process.Skew < settings.VisibleBy(said.ActiveAt, said.TickBefore)
        )
        {
            Excuse(process, said.At);
        }
        else
        {
            Faults.Add(
                $"{process.Name}: {sighting.Value} was seen at {sighting.NewAt:ss.fff} and is not on the "
                    + $"schedule{process.Circumstances(sighting.NewAt)}"
            );
        }
    }

    /// <summary>
    /// One read per tick, none while the store was down and one to catch up; in all at most the ticks plus one for the start. Except for a
    /// process that said it might be late, as on a machine that has just started all of them.
    /// </summary>
    private void JudgeReads(Process process)
    {
        var (name, schedule) = (process.Name, process.Schedule);
        var reads = process.Reads.ConvertAll(read => read.Begun);
        var end = process.Report.Stopped + process.Skew;
        if (reads.Count > Intervals(schedule, reads[0], end) + 1)
            Faults.Add($"{name}: {reads.Count} reads in all by a process with a skew of {process.Skew.TotalMilliseconds:0} ms");
        if (process.Returned(upAt) is null)
            Faults.Add($"{name}: a process did not read the store any more once it was back{process.Circumstances(upAt)}");
        for (var from = schedule.BoundaryBefore(reads[0]); schedule.NextCheckAt(from) < end; from = schedule.NextCheckAt(from))
        {
            var to = schedule.NextCheckAt(from);
            var count = reads.Count(read => read >= from && read < to);
            _intervals++;
            _reads += count;
            if (from <= ready || process.SaidStaleAt(from) || process.SaidStaleAt(to) || WasCutOff(process, from, to))
                continue;
            if (
                process.Report.Stalls.Any(stall =>
                    stall.To > from - process.Skew && stall.From < to - process.Skew && stall.To - stall.From > LongStall
                )
            )
            {
                continue;
            }

            _judgedIntervals++;
            if (count != 1)
            {
                Faults.Add(
                    $"{name}: {count} reads from {from:ss.fff} to {to:ss.fff} by a process with a skew of "
                        + $"{process.Skew.TotalMilliseconds:0} ms{process.Circumstances(to)}"
                );
            }
        }
    }

    private static int Intervals(TickSchedule schedule, DateTimeOffset from, DateTimeOffset to)
    {
        var count = 1;
        while ((from = schedule.NextCheckAt(from)) < to)
            count++;
        return count;
    }

    private static string Value(TickTuple tuple) => tuple.Json.Trim('"');

    /// <summary>
    /// Whether the process had read the store for the instant after every change that touches it was visible: then it must switch, whatever
    /// it says of itself.
    /// </summary>
    private bool KnewOf(Process process, TickTuple tuple)
    {
        var visible = settings.VisibleBy(tuple.ActiveAt, process.Schedule.TickAt(tuple.ActiveAt - Moment));
        return process.Reads.Exists(read => read.Begun - process.Skew >= visible && read.Ended <= tuple.ActiveAt);
    }

    private void Excuse(Process process, DateTimeOffset at)
    {
        if (WasCutOff(process, at, at))
            _excused++;
        else
            Announced++;
    }

    /// <summary>Whether it falls between the store going down and this process's next read of it, on the process's clock.</summary>
    private bool WasCutOff(Process process, DateTimeOffset from, DateTimeOffset to) =>
        to - process.Skew > downAt && (process.Returned(upAt) is not { } returned || from <= returned);

    /// <summary>One process and one variable. Sightings are in true time, reads and what it said in its own.</summary>
    private sealed record Process(
        string Name,
        TickSchedule Schedule,
        TimeSpan Skew,
        Report Report,
        List<Sighting> Sightings,
        List<StoreRead> Reads
    )
    {
        /// <summary>Whether the process said that it might be late at an instant on its clock.</summary>
        public bool SaidStaleAt(DateTimeOffset at) =>
            Report.Stale.Any(stale => stale.Variable == Name && stale.From <= at && at <= stale.To);

        /// <summary>What the process itself said of a switch that was seen.</summary>
        public Switch? SwitchOf(Sighting sighting) =>
            Report.Switches.LastOrDefault(said =>
                said.Variable == Name && said.Value == sighting.Value && said.At - Skew <= sighting.NewAt
            );

        /// <summary>When the first read ended after the store was back, on the process's clock; null if none did.</summary>
        public DateTimeOffset? Returned(DateTimeOffset upAt) => Reads.Find(read => read.Ended - Skew > upAt)?.Ended;

        /// <summary>Whether the schedule has the value at some instant of a span.</summary>
        public bool IsRight(string? value, DateTimeOffset from, DateTimeOffset to)
        {
            if (Shown(Schedule.ActiveAt(from)) == value)
                return true;
            return Schedule.PendingAt(from).Any(tuple => tuple.ActiveAt <= to && Value(tuple) == value);
        }

        public bool WasHeldUp(DateTimeOffset due, DateTimeOffset lastOld) =>
            Report.Stalls.Any(stall => stall.From - Short <= due && due <= stall.To && lastOld <= stall.To + Short);

        public string Circumstances(DateTimeOffset at)
        {
            var around = TimeSpan.FromSeconds(3);
            var reads = Reads.Where(read => (read.Begun - at).Duration() < around).Select(read => $"{read.Begun - Skew:ss.fff}");
            var stale = Report
                .Stale.Where(span => span.Variable == Name && span.To > at - around && span.From < at + around)
                .Select(span => $"{span.From - Skew:ss.fff}-{span.To - Skew:ss.fff}");
            var said = Report
                .Switches.Where(said => said.Variable == Name && (said.At - at).Duration() < around)
                .Select(said => $"{said.At - Skew:ss.fff} {said.Value}{(said.IsStale ? " stale" : "")}");
            return $" (reads {string.Join(' ', reads)}; said it might be late {string.Join(' ', stale)}; switched "
                + $"{string.Join(", ", said)})";
        }

        private static string? Shown(TickTuple? tuple) => tuple is null ? null : Value(tuple);
    }
}
