using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Lockstep.Engine;
using Lockstep.Serving.Hosting;
using Lockstep.Serving.Status;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Scenarios;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.TestServer.Control;

/// <summary>
/// The server's controls over HTTP, as JSON, for tests in any language; they lie under <c>/_lockstep/</c> and are neither logged nor
/// faulted.
/// </summary>
internal sealed class ControlPath(IControlledServer server)
{
    public const string Prefix = StatusPage.Prefix;

    private delegate Task<JsonNode?> Action(HttpRequest request, string rest, CancellationToken cancellationToken);

    private IEnumerable<(string Method, string Path, Action Run)> Actions =>
        [
            ("GET", "state", (_, _, _) => Done(ControlJson.State(server))),
            (
                "GET",
                "requests",
                (request, _, _) =>
                    Done(StatusJson.List(server.Requests.Where(entry => entry.Number > After(request)).Select(ControlJson.Request)))
            ),
            (
                "GET",
                "latest",
                (request, _, _) =>
                    Done(
                        StatusJson.List(
                            server
                                .Latest(int.TryParse(request.Query["count"], out var count) ? Math.Min(count, 1000) : 10)
                                .Select(record => Encoding.UTF8.GetString(record.Span).TrimEnd())
                        )
                    )
            ),
            (
                "GET",
                "faults",
                (_, id, _) =>
                    Done(
                        id.Length == 0
                            ? StatusJson.List(server.Faults.Select(ControlJson.Fault))
                            : ControlJson.Fault(server.Faults.Find(id) ?? throw new KeyNotFoundException($"There is no fault {id}."))
                    )
            ),
            ("POST", "faults", AddFaultsAsync),
            ("DELETE", "faults", RemoveFaults),
            ("GET", "kinds", (_, _, _) => Done(StatusJson.List(FaultKinds.All.Select(ControlJson.Kind)))),
            ("POST", "records", AddRecordsAsync),
            ("POST", "heartbeat", (request, _, _) => Do(() => server.SendHeartbeat(Query(request, "kind", HeartbeatKind.Auto)))),
            (
                "POST",
                "close",
                (request, _, _) => Done(new JsonObject { ["closed"] = server.CloseConnections(Query(request, "how", CutKind.Fin)) })
            ),
            ("GET", "scenario", (_, _, _) => Done(ControlJson.Scenario(server.CurrentScenario))),
            ("POST", "scenario", StartScenarioAsync),
        ];

    public async Task AnswerAsync(HttpContext context)
    {
        if (await StatusPage.TrySendAsync(context).ConfigureAwait(false))
            return;
        (var status, var answer) = await RunAsync(context.Request, context.RequestAborted).ConfigureAwait(false);
        var json = StatusJson.Write(answer);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.Length;
        await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted).ConfigureAwait(false);
    }

    private async Task<(int Status, JsonNode? Answer)> RunAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var parts = request.Path.Value![Prefix.Length..].Trim('/').Split('/', 2);
        (string Method, string Path, Action Run)[] there =
        [
            .. Actions.Where(action => action.Path.Equals(parts[0], StringComparison.OrdinalIgnoreCase)),
        ];
        if (there.Length == 0)
        {
            return (
                StatusCodes.Status404NotFound,
                Error(
                    $"There is no {parts[0]} here. Choose one of "
                        + $"{string.Join(", ", Actions.Select(action => $"{action.Method} {Prefix}/{action.Path}"))}."
                )
            );
        }

        var run = there.FirstOrDefault(action => action.Method == request.Method).Run;
        if (run is null)
        {
            return (
                StatusCodes.Status405MethodNotAllowed,
                Error($"{parts[0]} takes {string.Join(" and ", there.Select(action => action.Method))}.")
            );
        }

        try
        {
            return (
                StatusCodes.Status200OK,
                await run(request, parts.ElementAtOrDefault(1) ?? "", cancellationToken).ConfigureAwait(false)
            );
        }
        catch (KeyNotFoundException error)
        {
            return (StatusCodes.Status404NotFound, Error(error.Message));
        }
        catch (Exception error) when (error is ArgumentException or FormatException or JsonException)
        {
            return (StatusCodes.Status400BadRequest, Error(PlainText.MessageOf(error)));
        }
        catch (InvalidOperationException error)
        {
            return (StatusCodes.Status409Conflict, Error(error.Message));
        }
    }

    /// <summary>One fault, or an array of them: all are added or none.</summary>
    private async Task<JsonNode?> AddFaultsAsync(HttpRequest request, string rest, CancellationToken cancellationToken)
    {
        using var body = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancellationToken).ConfigureAwait(false);
        if (body.RootElement.ValueKind != JsonValueKind.Array)
            return ControlJson.Fault(Add(body.RootElement));
        foreach (var fault in body.RootElement.EnumerateArray())
            server.Faults.Check(FaultKinds.Create(fault, out _));
        return StatusJson.List(body.RootElement.EnumerateArray().Select(fault => ControlJson.Fault(Add(fault))));

        ActiveFault Add(JsonElement json)
        {
            var fault = FaultKinds.Create(json, out var id);
            return server.Faults.Add(fault, id);
        }
    }

    private Task<JsonNode?> RemoveFaults(HttpRequest request, string id, CancellationToken cancellationToken)
    {
        if (id.Length == 0)
            server.Faults.Clear();
        else if (!server.Faults.Remove(id))
            throw new KeyNotFoundException($"There is no fault {id}.");
        return Done(StatusJson.List(server.Faults.Select(ControlJson.Fault)));
    }

    /// <summary>One JSON object per line, or a JSON array of objects.</summary>
    private async Task<JsonNode?> AddRecordsAsync(HttpRequest request, string rest, CancellationToken cancellationToken)
    {
        using StreamReader reader = new(request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        if (text.AsSpan().TrimStart().StartsWith("["))
        {
            using var array = JsonDocument.Parse(text);
            server.AddRecords(array.RootElement.EnumerateArray().Select(record => record.GetRawText()));
        }
        else
        {
            server.AddRecords(text.Split('\n').Where(line => !string.IsNullOrWhiteSpace(line)));
        }
        return new JsonObject { ["records"] = server.RecordCount };
    }

    private async Task<JsonNode?> StartScenarioAsync(HttpRequest request, string rest, CancellationToken cancellationToken)
    {
        using StreamReader reader = new(request.Body, Encoding.UTF8);
        return ControlJson.Scenario(
            server.StartScenario(Scenario.Parse(await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false)))
        );
    }

    private static long After(HttpRequest request) => long.TryParse(request.Query["after"], out var number) ? number : 0;

    private static T Query<T>(HttpRequest request, string name, T usual)
        where T : struct, Enum =>
        request.Query[name].ToString() is not { Length: > 0 } text ? usual
        : Enum.TryParse(text, ignoreCase: true, out T value) && Enum.IsDefined(value) ? value
        : throw new ArgumentException($"{name} is one of {string.Join(", ", Enum.GetNames<T>())}, not {text}.");

    private static Task<JsonNode?> Do(System.Action action)
    {
        action();
        return Done(new JsonObject());
    }

    private static Task<JsonNode?> Done(JsonNode? answer) => Task.FromResult(answer);

    private static JsonObject Error(string message) => new() { ["error"] = message };
}
