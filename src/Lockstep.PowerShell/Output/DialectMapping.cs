using System.Text.Json;
using Lockstep.Engine.Dialects;

namespace Lockstep;

/// <summary>Maps the engine's dialects to those that users see.</summary>
internal static class DialectMapping
{
    public static DialectInfo ToModel(this DialectDescription dialect)
    {
        using var json = JsonDocument.Parse(dialect.Json);
        return new DialectInfo
        {
            Name = dialect.Name,
            Description = json.RootElement.TryGetProperty("Description", out var text) ? text.GetString()! : "",
            Interval = dialect.Interval,
            Json = dialect.Json,
        };
    }
}
