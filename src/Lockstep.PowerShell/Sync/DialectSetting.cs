using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Parameters;

namespace Lockstep.Sync;

/// <summary>The value of -Dialect: one of Lockstep's own dialects, or how to read another server's feed.</summary>
/// <param name="Own">Lockstep's own, or Auto.</param>
/// <param name="Foreign">Another server's; null for none.</param>
internal sealed record DialectSetting(Engine.Records.Dialect Own, DialectDescription? Foreign)
{
    private const int Deepest = 16;

    /// <summary>Reads the parameter.</summary>
    /// <param name="given">A name, a path, a hashtable, an object, or the output of <c>Get-LockstepDialect</c>.</param>
    /// <param name="paths">Resolves a path.</param>
    /// <exception cref="DialectFormatException">It is not a dialect.</exception>
    /// <exception cref="InvalidOptionException">Its type cannot represent a dialect.</exception>
    public static DialectSetting Of(object? given, PathIntrinsics paths)
    {
        var value = given is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : given;
        switch (value)
        {
            case null or "":
            case FeedDialect.Foreign:
                return new(Engine.Records.Dialect.Auto, null);
            case FeedDialect own:
                return new((Engine.Records.Dialect)own, null);
            case DialectInfo known:
                return new(Engine.Records.Dialect.Auto, DialectDescription.Parse(known.Json, known.Name));
            case string text when Enum.TryParse<FeedDialect>(text, ignoreCase: true, out var named) && !char.IsAsciiDigit(text[0]):
                return Of(named, paths);
            case string text:
                var isFile = BuiltInDialects.Find(text) is null && text.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
                return new(Engine.Records.Dialect.Auto, DialectDescription.Load(isFile ? FileSystemPath.ResolveOne(paths, text) : text));
            case IDictionary or PSObject:
                return new(Engine.Records.Dialect.Auto, DialectDescription.Parse(ToJson(value), "custom"));
            default:
                throw new InvalidOptionException(
                    $"A dialect is a name, a hashtable or a file, not a {value.GetType().Name}.",
                    "Get-LockstepDialect lists the names."
                );
        }
    }

    private static string ToJson(object value)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            Write(json, value, Deepest);
        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    private static void Write(Utf8JsonWriter json, object? value, int depth)
    {
        if (depth == 0)
            throw new InvalidOptionException("The dialect's hashtable is nested too deeply.", "A dialect has a few levels at most.");
        switch (value is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : value)
        {
            case null:
                json.WriteNullValue();
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case SwitchParameter given:
                json.WriteBooleanValue(given);
                break;
            case int or long or short or byte:
                json.WriteNumberValue(Convert.ToInt64(value is PSObject p ? p.BaseObject : value, CultureInfo.InvariantCulture));
                break;
            case double or decimal or float:
                json.WriteNumberValue(Convert.ToDecimal(value is PSObject n ? n.BaseObject : value, CultureInfo.InvariantCulture));
                break;
            case IDictionary pairs:
                json.WriteStartObject();
                foreach (DictionaryEntry pair in pairs)
                {
                    json.WritePropertyName(Convert.ToString(pair.Key, CultureInfo.InvariantCulture)!);
                    Write(json, pair.Value, depth - 1);
                }

                json.WriteEndObject();
                break;
            case PSObject custom:
                json.WriteStartObject();
                foreach (var property in custom.Properties)
                {
                    json.WritePropertyName(property.Name);
                    Write(json, property.Value, depth - 1);
                }

                json.WriteEndObject();
                break;
            case IEnumerable list:
                json.WriteStartArray();
                foreach (var item in list)
                    Write(json, item, depth - 1);
                json.WriteEndArray();
                break;
            case var other:
                json.WriteStringValue(Convert.ToString(other, CultureInfo.InvariantCulture));
                break;
        }
    }
}
