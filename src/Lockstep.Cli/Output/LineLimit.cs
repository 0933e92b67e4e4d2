using System.Globalization;

namespace Lockstep.Cli.Output;

/// <summary>
/// Limits lines caused by others, such as a peer that is refused again and again: a few per minute of each kind and source, and not many
/// more in all. At the end of the minute, a line says how many were left out. Thread-safe.
/// </summary>
/// <param name="time">Measures the minute.</param>
/// <param name="write">Writes a line.</param>
internal sealed class LineLimit(TimeProvider time, Action<string> write)
{
    /// <summary>The maximum number of lines of one kind and source per <see cref="Window"/>.</summary>
    public const int Most = 10;

    /// <summary>The maximum number of lines in all.</summary>
    public const int MostInAll = 100;

    /// <summary>How many sources are distinguished; lines of further ones are counted together.</summary>
    private const int MostSources = 1000;

    /// <summary>How many sources are named at the end of the window.</summary>
    private const int MostNamed = 5;

    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Kind, string? Source), (long Written, long LeftOut)> _lines = [];
    private long _written;
    private long _leftOut;
    private ITimer? _timer;

    /// <summary>The limit on this process's standard error.</summary>
    public static LineLimit OfErrors { get; } = new(TimeProvider.System, static line => Console.Error.WriteLine(line));

    /// <summary>Writes a line, or counts it as left out.</summary>
    /// <param name="kind">What the line is about, in the plural; never text chosen by somebody else.</param>
    /// <param name="source">Who caused it, such as an address; null if unknown.</param>
    /// <param name="line">The line.</param>
    public void Write(string kind, string? source, string line)
    {
        lock (_gate)
        {
            _timer ??= time.CreateTimer(static self => ((LineLimit)self!).End(), this, Window, Timeout.InfiniteTimeSpan);
            var isKnown = _lines.TryGetValue((kind, source), out var lines);
            var isWritten = lines.Written < Most && _written < MostInAll && (isKnown || _lines.Count < MostSources);
            if (isWritten)
                _written++;
            else
                _leftOut++;
            if (isKnown || _lines.Count < MostSources)
                _lines[(kind, source)] = isWritten ? (lines.Written + 1, 0) : (lines.Written, lines.LeftOut + 1);
            if (!isWritten)
                return;
        }

        write(line);
    }

    private void End()
    {
        long leftOut;
        string[] named;
        lock (_gate)
        {
            leftOut = _leftOut;
            named =
            [
                .. _lines
                    .Where(static line => line.Value.LeftOut > 0)
                    .OrderByDescending(static line => line.Value.LeftOut)
                    .Take(MostNamed)
                    .Select(static line => Describe(line.Key.Kind, line.Key.Source, line.Value.LeftOut)),
            ];
            _lines.Clear();
            _written = _leftOut = 0;
            _timer?.Dispose();
            _timer = null;
        }

        if (leftOut > 0)
        {
            write(
                string.Create(CultureInfo.InvariantCulture, $"lockstep: {leftOut:N0} more lines of the last minute were left out: ")
                    + $"{string.Join(", ", named)}{(named.Length == MostNamed ? ", and perhaps others" : "")}."
            );
        }
    }

    private static string Describe(string kind, string? source, long count) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} about {kind}{(source is null ? "" : " of ")}{source}");
}
