using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Parts;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer.Control;

/// <summary>What the control path answers with.</summary>
internal static class ControlJson
{
    public static object State(IControlledServer server) =>
        new
        {
            feed = server.Feed,
            uri = server.FeedUri,
            started = server.StartTime,
            time = server.Time.GetUtcNow(),
            records = server.RecordCount,
            clients = server.ClientCount,
            connected = server.Connected.Select(request => Client(request, server.RecordCount)),
            sent = new { records = server.SentRecords, bytes = server.SentBytes },
            requests = server.RequestCount,
            faults = server.Faults.Count,
            scenario = Scenario(server.CurrentScenario),
        };

    public static object Request(TestRequest request) =>
        new
        {
            request.Number,
            request.Time,
            request.Method,
            request.Path,
            request.Cursor,
            request.Headers,
            request.Status,
            request.Bytes,
            request.Records,
            request.Ending,
            request.Duration,
            request.Faults,
            request.Error,
        };

    /// <summary>How far a client is behind is known once it has had all that was there when it came.</summary>
    private static object Client(TestRequest request, int records) =>
        new
        {
            request.Number,
            request.Path,
            request.Cursor,
            request.Records,
            request.Bytes,
            request.Duration,
            behind = request.LivePosition is >= 0 and var position ? records - position : (int?)null,
        };

    public static object Fault(ActiveFault fault) =>
        new
        {
            fault.Id,
            fault.Kind,
            fault.Description,
            fault.Parameters,
            fault.Seen,
            fault.Hits,
        };

    public static object Kind(PartKind kind) =>
        new
        {
            kind.Name,
            kind.Description,
            parameters = kind.Parameters.Select(parameter => new
            {
                parameter.Name,
                type = parameter.TypeName,
                parameter.Description,
            }),
        };

    public static object? Scenario(ScenarioRun? run) =>
        run is null
            ? null
            : new
            {
                run.State,
                run.Step,
                steps = run.Scenario.Steps.Count,
                run.Error,
            };
}
