using System.Text.Json;
using Lockstep.Engine;

namespace Lockstep.TestServer.Scenarios;

/// <summary>A small script for a test server: steps that run one after the other. Immutable.</summary>
public sealed class Scenario
{
    /// <summary>Makes one from steps.</summary>
    public Scenario(IEnumerable<ScenarioStep> steps)
    {
        Steps = [.. steps];
    }

    /// <summary>The steps in order.</summary>
    public IReadOnlyList<ScenarioStep> Steps { get; }

    /// <summary>Reads one from JSON: an array of steps, or an object whose member <c>steps</c> is one. A step is an object with one member:
    /// <c>{"send":{...}}</c>, <c>{"waitForClients":2}</c>, <c>{"fault":{"kind":"Cut"}}</c>; see <see cref="StepKinds"/>.</summary>
    /// <exception cref="InvalidScenarioException">It is no JSON, or has a step that there is not.</exception>
    public static Scenario Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(
                json,
                new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip }
            );
            return Read(document.RootElement);
        }
        // The reader throws the latter where a name or a text is not valid Unicode.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new InvalidScenarioException($"The scenario is not valid JSON: {error.Message}", error);
        }
    }

    /// <summary>Reads one from a file; see <see cref="Parse"/>.</summary>
    /// <exception cref="InvalidScenarioException">It is no JSON, or has a step that there is not.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Scenario Load(string path) => Parse(File.ReadAllText(path));

    internal static Scenario Read(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("steps", out var steps))
            json = steps;
        if (json.ValueKind != JsonValueKind.Array)
            throw new InvalidScenarioException("A scenario is an array of steps, or an object with the member steps.");
        List<ScenarioStep> read = [];
        foreach (var step in json.EnumerateArray())
        {
            try
            {
                read.Add(StepKinds.Read(step));
            }
            catch (ArgumentException error)
            {
                throw new InvalidScenarioException($"Step {read.Count + 1}: {PlainText.MessageOf(error)}", error);
            }
        }
        return new Scenario(read);
    }
}

/// <summary>A scenario cannot be understood; the message names the step.</summary>
public sealed class InvalidScenarioException : FormatException
{
    internal InvalidScenarioException(string message, Exception? inner = null)
        : base(message, inner) { }
}
