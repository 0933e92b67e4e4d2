using Lockstep.Engine.Conformance;
using Lockstep.Engine.Recording;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Requests;

namespace Lockstep.TestServers;

/// <summary>Maps the test server's values to those that users see, as <see cref="EngineMapping"/> does for the engine's.</summary>
internal static class TestServerMapping
{
    public static FeedRuleInfo ToModel(this RuleResult result) =>
        new()
        {
            Id = result.Id,
            Rule = result.Rule,
            Outcome = Enum.Parse<FeedRuleOutcome>(result.Outcome.ToString()),
            Message = result.Message,
        };

    public static TestFaultInfo ToModel(this ActiveFault fault, TestServerInfo server) =>
        new(server, () => (fault.Seen, fault.Hits))
        {
            Id = fault.Id,
            Kind = fault.Kind,
            Description = fault.Description,
            Parameters = fault.Parameters.ToDictionary(
                parameter => parameter.Key,
                parameter => parameter.Value is Enum name ? name.ToString() : parameter.Value,
                StringComparer.OrdinalIgnoreCase
            ),
        };

    public static TestRequestInfo ToModel(this TestRequest request) =>
        new()
        {
            Number = request.Number,
            Time = request.Time.LocalDateTime,
            Method = request.Method,
            Path = request.Path,
            Cursor = request.Cursor,
            Headers = request.Headers,
            Status = request.Status,
            Bytes = request.Bytes,
            Records = request.Records,
            Ending = Enum.Parse<TestRequestEnding>(request.Ending.ToString()),
            Duration = request.Duration,
            Faults = request.Faults,
            Error = request.Error,
        };

    public static FeedRecordingInfo ToModel(this FeedRecording recording) =>
        new()
        {
            Path = recording.Path,
            Status = recording.Status,
            Bytes = recording.Bytes,
            Duration = recording.Duration,
            End = recording.End.ToString(),
        };
}
