using System.Diagnostics.Metrics;

namespace Lockstep.Postgres.Tests;

/// <summary>What the feed with this name reports through its meter, from the moment this is created.</summary>
internal sealed class FeedMeasurements : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<(string Instrument, long Value)> _values = [];
    private readonly MeterListener _listener;

    public FeedMeasurements(string feed)
    {
        _listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == PostgresFeed.MeterName)
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>(
            (instrument, value, tags, _) =>
            {
                if (!tags.Contains(new KeyValuePair<string, object?>("feed", feed)))
                    return;
                lock (_gate)
                    _values.Add((instrument.Name, value));
            }
        );
        _listener.Start();
    }

    /// <summary>Makes the gauges report.</summary>
    public void Observe() => _listener.RecordObservableInstruments();

    public long Sum(string instrument)
    {
        lock (_gate)
            return _values.Where(v => v.Instrument == instrument).Sum(v => v.Value);
    }

    public long[] Values(string instrument)
    {
        lock (_gate)
            return [.. _values.Where(v => v.Instrument == instrument).Select(v => v.Value)];
    }

    public long Greatest(string instrument)
    {
        lock (_gate)
            return _values.Where(v => v.Instrument == instrument).Select(v => v.Value).DefaultIfEmpty().Max();
    }

    public void Dispose() => _listener.Dispose();
}
