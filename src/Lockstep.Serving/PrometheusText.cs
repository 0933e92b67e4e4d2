using System.Globalization;
using System.Text;

namespace Lockstep.Serving;

/// <summary>Metrics in Prometheus text format (0.0.4): all samples of a name together, after its description.</summary>
internal sealed class PrometheusText
{
    private readonly SortedDictionary<string, StringBuilder> _metrics = new(StringComparer.Ordinal);

    /// <summary>An instrument's name in Prometheus: with its unit, and <c>_total</c> if it only increases.</summary>
    public static string NameOf(string instrument, string? unit, bool isCounter)
    {
        var name = instrument.Replace('.', '_');
        var suffix = unit switch
        {
            "By" => "_bytes",
            "s" => "_seconds",
            _ => "",
        };
        if (!name.EndsWith(suffix, StringComparison.Ordinal))
            name += suffix;
        return isCounter ? name + "_total" : name;
    }

    /// <summary>Labels in the form that follows a name; empty for none.</summary>
    public static string LabelsOf(IReadOnlyCollection<KeyValuePair<string, object?>> tags) =>
        tags.Count == 0 ? "" : $"{{{string.Join(',', tags.Select(tag => $"{tag.Key}=\"{Escape(tag.Value)}\""))}}}";

    public void Gauge(string name, string meaning, IReadOnlyCollection<KeyValuePair<string, object?>> tags, double value) =>
        Add(name, meaning, isCounter: false, tags, value);

    public void Add(string name, string? meaning, bool isCounter, IReadOnlyCollection<KeyValuePair<string, object?>> tags, double value)
    {
        if (!_metrics.TryGetValue(name, out var samples))
        {
            var type = isCounter ? "counter" : "gauge";
            _metrics[name] = samples = new StringBuilder($"# HELP {name} {meaning?.ReplaceLineEndings(" ")}\n# TYPE {name} {type}\n");
        }

        samples.Append(CultureInfo.InvariantCulture, $"{name}{LabelsOf(tags)} {value}\n");
    }

    public override string ToString() => string.Concat(_metrics.Values);

    private static string Escape(object? value) =>
        $"{value}"
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
}
