using System.Diagnostics.Metrics;
using Lockstep.Engine;
using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>
/// Metrics for operators of a <see cref="FeedServer"/>, from the meter <c>Lockstep.Serving</c>; each measurement carries the tag
/// <c>feed</c>.
/// </summary>
internal sealed class ServingMetrics : IDisposable
{
    public const string MeterName = "Lockstep.Serving";

    private readonly Meter _meter = new(MeterName);
    private readonly UpDownCounter<long> _connections;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _failed;

    public ServingMetrics()
    {
        _connections = _meter.CreateUpDownCounter<long>("lockstep.serving.connections", "{connection}", "Feeds being streamed.");
        _bytes = _meter.CreateCounter<long>("lockstep.serving.sent", "By", "Bytes handed to connections.");
        _failed = _meter.CreateCounter<long>(
            "lockstep.serving.read_errors",
            "{request}",
            "Clients' reads that failed or were cut off, by reason."
        );
        _refused = _meter.CreateCounter<long>(
            "lockstep.serving.refused",
            "{request}",
            "Requests that were answered 4xx or 503, by reason."
        );
    }

    /// <summary>Reports how much memory a server's clients hold, and what its feeds leave out.</summary>
    public void Watch(SendBudget budget, ServedFeeds feeds)
    {
        _meter.CreateObservableCounter(
            "lockstep.serving.rows_left_out",
            () =>
                feeds.Sources.Select(source => new Measurement<long>(
                    source.LeftOut.Count,
                    new KeyValuePair<string, object?>("feed", source.Name)
                )),
            "{row}",
            "Versions of rows that clients would refuse and the feed leaves out."
        );
        _meter.CreateObservableGauge("lockstep.serving.buffered", () => budget.Held, "By", "Bytes read for clients and not yet sent.");
        _meter.CreateObservableCounter(
            "lockstep.serving.cut",
            () => budget.CutOff,
            "{connection}",
            "Clients cut off because they took nothing while others waited."
        );
    }

    public void ReadFailed(string feed, Exception error) =>
        _failed.Add(
            1,
            new KeyValuePair<string, object?>("feed", feed),
            new KeyValuePair<string, object?>("reason", (error as LockstepException)?.ErrorId ?? error.GetType().Name)
        );

    public ClientMeasurement Client(string feed) => new(this, feed);

    public void Refused(string feed, FeedServingException reason) =>
        _refused.Add(1, new KeyValuePair<string, object?>("feed", feed), new KeyValuePair<string, object?>("reason", reason.ErrorId));

    public void Dispose() => _meter.Dispose();

    internal sealed class ClientMeasurement : IDisposable
    {
        private readonly ServingMetrics _metrics;
        private readonly KeyValuePair<string, object?> _feed;
        private long _sent;

        public ClientMeasurement(ServingMetrics metrics, string feed)
        {
            _metrics = metrics;
            _feed = new("feed", feed);
            metrics._connections.Add(1, _feed);
        }

        public void Sent(long total)
        {
            _metrics._bytes.Add(total - _sent, _feed);
            _sent = total;
        }

        public void Dispose() => _metrics._connections.Add(-1, _feed);
    }
}
