using System.Text.Json;

namespace Lockstep.Engine.Dialects;

/// <summary>
/// Refuses a description that holds a secret: it is stored in the table's file, shown and shared. A parameter that is filled from an answer
/// holds none, whatever its name.
/// </summary>
internal static class DialectSecrets
{
    /// <summary>Anything shorter is a word such as <c>latest</c>.</summary>
    private const int Shortest = 8;

    /// <summary>What is often a secret in an address is usually something else in a body.</summary>
    private static readonly string[] HarmlessInBody = ["key", "code", "sign"];

    /// <summary>Checks the parameters, the paths and the bodies of all requests.</summary>
    /// <exception cref="DialectFormatException">One of them looks like a secret.</exception>
    public static void Refuse(JsonElement dialect, string name)
    {
        foreach (var pair in dialect.EnumerateObject())
        {
            switch (pair.Name)
            {
                case "Snapshot" or "Changes" or "Live" or "Begin" when pair.Value.ValueKind == JsonValueKind.Object:
                    Refuse(pair.Value, name);
                    break;
                case "Query":
                    Search(pair.Value, "Query", [], name);
                    break;
                case "Body":
                    Search(pair.Value, "Body", HarmlessInBody, name);
                    break;
                case "Path" when pair.Value.ValueKind == JsonValueKind.String && pair.Value.GetString()!.Split('?', 2) is [_, var query]:
                    SecretNames.ReplaceValues(
                        "?" + query,
                        (option, value) =>
                            IsSecret(Uri.UnescapeDataString(value)) ? throw Found("Path", option.Split('=')[0], name) : option
                    );
                    break;
            }
        }
    }

    private static void Search(JsonElement json, string where, string[] harmless, string name)
    {
        if (json.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in json.EnumerateArray())
                Search(item, where, harmless, name);
        }
        else if (json.ValueKind == JsonValueKind.Object)
        {
            foreach (var pair in json.EnumerateObject())
            {
                if (pair.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
                {
                    Search(pair.Value, where, harmless, name);
                }
                else if (
                    pair.Value.ValueKind == JsonValueKind.String
                    && SecretNames.Contain(pair.Name)
                    && !harmless.Contains(pair.Name, StringComparer.OrdinalIgnoreCase)
                    && IsSecret(pair.Value.GetString()!)
                )
                {
                    throw Found(where, pair.Name, name);
                }
            }
        }
    }

    private static bool IsSecret(string value) => value.Length >= Shortest && !value.Contains('{');

    private static DialectFormatException Found(string where, string secret, string name) =>
        new(
            name,
            $"{where}: '{PlainText.Of(secret)}' looks like a secret, and a dialect is stored with the table",
            $"Leave it out, and give it to each sync with {Term.Query}, {Term.Token} or {Term.TokenProvider}; these are not stored."
        );
}
