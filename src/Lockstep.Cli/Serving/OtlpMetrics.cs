using Lockstep.Postgres.Serving;
using Lockstep.Serving;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Lockstep.Cli.Serving;

/// <summary>Sends a server's metrics to an OpenTelemetry collector, if the standard environment variable names one.</summary>
internal static class OtlpMetrics
{
    /// <summary>Starts to send; null without a collector. The exporter itself reads this and the other variables of the standard.</summary>
    public static IDisposable? Start() =>
        Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }
            ? Sdk.CreateMeterProviderBuilder().AddMeter(FeedServer.MeterName, PostgresFeed.MeterName).AddOtlpExporter().Build()
            : null;
}
