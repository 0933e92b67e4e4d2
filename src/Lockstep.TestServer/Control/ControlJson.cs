using System.Text.Json.Nodes;
using Lockstep.Serving.Status;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Parts;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer.Control;

/// <summary>The answers of the control path.</summary>
internal static class ControlJson
{
    public static JsonObject State(IControlledServer server) =>
        new()
        {
            ["feed"] = server.Feed.ToString(),
            ["uri"] = server.FeedUri.OriginalString,
            ["started"] = server.StartTime,
            ["time"] = server.Time.GetUtcNow(),
            ["records"] = server.RecordCount,
            ["clients"] = server.ClientCount,
            ["connected"] = StatusJson.List(server.Connected.Select(request => Client(request, server.RecordCount))),
            ["sent"] = new JsonObject { ["records"] = server.SentRecords, ["bytes"] = server.SentBytes },
            ["requests"] = server.RequestCount,
            ["faults"] = server.Faults.Count,
            ["scenario"] = Scenario(server.CurrentScenario),
        };

    public static JsonObject Request(TestRequest request) =>
        new()
        {
            ["number"] = request.Number,
            ["time"] = request.Time,
            ["method"] = request.Method,
            ["path"] = request.Path,
            ["cursor"] = request.Cursor,
            ["headers"] = StatusJson.Map(request.Headers),
            ["status"] = request.Status,
            ["bytes"] = request.Bytes,
            ["records"] = request.Records,
            ["ending"] = request.Ending.ToString(),
            ["duration"] = request.Duration.TotalSeconds,
            ["faults"] = StatusJson.List(request.Faults),
            ["error"] = request.Error,
        };

    /// <summary>How far a client is behind is known once it has had everything that was there when it came.</summary>
    private static JsonObject Client(TestRequest request, int records) =>
        new()
        {
            ["number"] = request.Number,
            ["path"] = request.Path,
            ["cursor"] = request.Cursor,
            ["records"] = request.Records,
            ["bytes"] = request.Bytes,
            ["duration"] = request.Duration.TotalSeconds,
            ["behind"] = request.LivePosition is >= 0 and var position ? records - position : null,
        };

    public static JsonObject Fault(ActiveFault fault) =>
        new()
        {
            ["id"] = fault.Id,
            ["kind"] = fault.Kind,
            ["description"] = fault.Description,
            ["parameters"] = new JsonObject(fault.Parameters.Select(given => KeyValuePair.Create(given.Key, Value(given.Value)))),
            ["seen"] = fault.Seen,
            ["hits"] = fault.Hits,
        };

    public static JsonObject Kind(PartKind kind) =>
        new()
        {
            ["name"] = kind.Name,
            ["description"] = kind.Description,
            ["parameters"] = StatusJson.List(
                kind.Parameters.Select(parameter => new JsonObject
                {
                    ["name"] = parameter.Name,
                    ["type"] = parameter.TypeName,
                    ["description"] = parameter.Description,
                })
            ),
        };

    public static JsonObject? Scenario(ScenarioRun? run) =>
        run is null
            ? null
            : new()
            {
                ["state"] = run.State.ToString(),
                ["step"] = run.Step,
                ["steps"] = run.Scenario.Steps.Count,
                ["error"] = run.Error,
            };

    /// <summary>A parameter's value; times are in seconds, as faults take them.</summary>
    private static JsonNode? Value(object value) =>
        value switch
        {
            bool flag => flag,
            int number => number,
            long number => number,
            TimeSpan time => time.TotalSeconds,
            IReadOnlyDictionary<string, string> headers => StatusJson.Map(headers),
            _ => value.ToString(),
        };
}
