using System.Diagnostics.Metrics;

namespace Lockstep.Serving;

/// <summary>Adds up the measurements of this process's meters, for occasional readers. Thread-safe.</summary>
internal sealed class PrometheusMeters : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Name, string Labels), Value> _values = [];
    private readonly MeterListener _listener = new();

    /// <summary>Starts listening.</summary>
    /// <param name="meters">The names of meters.</param>
    public PrometheusMeters(params string[] meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (meters.Contains(instrument.Meter.Name))
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The current values.</summary>
    /// <param name="isShown">Whether a feed's values are wanted, by name.</param>
    public PrometheusText Collect(Func<string, bool> isShown)
    {
        lock (_gate)
        {
            // A removed feed's gauge is not read again.
            foreach (var key in _values.Where(v => v.Value.Instrument.IsObservable).Select(v => v.Key).ToArray())
                _values.Remove(key);
        }

        _listener.RecordObservableInstruments();
        var text = new PrometheusText();
        lock (_gate)
        {
            foreach (var (instrument, tags, sum) in _values.Values)
            {
                if (tags.FirstOrDefault(tag => tag.Key == "feed").Value is string feed && !isShown(feed))
                    continue;
                var isCounter =
                    instrument.GetType().GetGenericTypeDefinition() is var kind
                    && (kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>));
                text.Add(PrometheusText.NameOf(instrument.Name, instrument.Unit, isCounter), instrument.Description, isCounter, tags, sum);
            }
        }

        return text;
    }

    public void Dispose() => _listener.Dispose();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = tags.ToArray();
        var key = (instrument.Name, PrometheusText.LabelsOf(labels));
        lock (_gate)
        {
            var sum = _values.TryGetValue(key, out var before) && !instrument.IsObservable ? before.Sum + value : value;
            _values[key] = new Value(instrument, labels, sum);
        }
    }

    private sealed record Value(Instrument Instrument, KeyValuePair<string, object?>[] Tags, double Sum);
}
