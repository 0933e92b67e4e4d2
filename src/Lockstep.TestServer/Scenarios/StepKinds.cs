using System.Text.Json;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Faults;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer.Scenarios;

/// <summary>The steps there are, by name, and how each reads its value.</summary>
public static class StepKinds
{
    // What a timer can count.
    private const int MostSeconds = int.MaxValue / 1000;

    private static readonly Dictionary<string, Func<JsonElement, ScenarioStep>> Readers = new(StringComparer.OrdinalIgnoreCase)
    {
        ["send"] = value => new SendStep(Each(value).Select(record => record.GetRawText())),
        ["waitForClients"] = value => new WaitForClientsStep(Count(value)),
        ["waitForRequests"] = value => new WaitForRequestsStep(Count(value)),
        ["waitForDelivery"] = value =>
            value.ValueKind == JsonValueKind.True ? new WaitForDeliveryStep() : throw new ArgumentException("waitForDelivery takes true."),
        ["fault"] = ReadFault,
        ["unfault"] = value => new UnfaultStep(
            value.ValueKind == JsonValueKind.String
                ? value.GetString()!
                : throw new ArgumentException("unfault takes the id of a fault, or \"*\" for all.")
        ),
        ["close"] = value => new CloseStep(Named(value, CutKind.Fin)),
        ["heartbeat"] = value => new HeartbeatStep(Named(value, HeartbeatKind.Auto)),
        ["pause"] = value => new PauseStep(
            value.ValueKind == JsonValueKind.Number && value.GetDouble() is >= 0 and <= MostSeconds
                ? TimeSpan.FromSeconds(value.GetDouble())
                : throw new ArgumentException($"pause takes a number of seconds from 0 to {MostSeconds}.")
        ),
    };

    /// <summary>Their names: send (a record or an array of them), waitForClients and waitForRequests (a count), waitForDelivery (true),
    /// fault (as in <see cref="FaultKinds"/>), unfault (an id, or * for all), close (Fin or Reset), heartbeat (a
    /// <see cref="HeartbeatKind"/>), pause (seconds of the server's own time).</summary>
    public static IReadOnlyList<string> All { get; } = [.. Readers.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Reads a step from an object with one member.</summary>
    /// <exception cref="ArgumentException">There is no such step, or its value does not fit.</exception>
    public static ScenarioStep Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || json.EnumerateObject().Count() != 1)
            throw new ArgumentException("A step is an object with one member, such as {\"pause\":1}.");
        var member = json.EnumerateObject().Single();
        return Readers.TryGetValue(member.Name, out var read)
            ? read(member.Value)
            : throw new ArgumentException($"There is no step {member.Name}. Choose one of {string.Join(", ", All)}.");
    }

    private static IEnumerable<JsonElement> Each(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Object => [value],
            JsonValueKind.Array when value.EnumerateArray().All(record => record.ValueKind == JsonValueKind.Object) =>
                value.EnumerateArray(),
            _ => throw new ArgumentException("send takes a record, which is an object, or an array of records."),
        };

    private static int Count(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0
            ? count
            : throw new ArgumentException("A count is a whole number, 0 or more.");

    private static FaultStep ReadFault(JsonElement value)
    {
        var fault = FaultKinds.Create(value, out var id);
        return new FaultStep(fault, id);
    }

    /// <summary>A name of an enumeration; true, null and an empty object stand for the usual one.</summary>
    private static T Named<T>(JsonElement value, T usual)
        where T : struct, Enum =>
        value.ValueKind switch
        {
            JsonValueKind.True or JsonValueKind.Null => usual,
            JsonValueKind.Object when !value.EnumerateObject().Any() => usual,
            JsonValueKind.String when Enum.TryParse(value.GetString(), ignoreCase: true, out T named) && Enum.IsDefined(named) => named,
            _ => throw new ArgumentException($"Choose one of {string.Join(", ", Enum.GetNames<T>())}."),
        };
}
