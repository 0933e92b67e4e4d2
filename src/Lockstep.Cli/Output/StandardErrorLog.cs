using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Lockstep.Engine;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Output;

/// <summary>The format of a log.</summary>
internal enum LogFormat
{
    /// <summary>One line of text per event.</summary>
    Text = 0,

    /// <summary>One JSON object per event, on a line of its own.</summary>
    Json = 1,
}

/// <summary>
/// A log on standard error, one event per line. In text, anything from outside is made plain; JSON is exact, in ASCII. Thread-safe.
/// </summary>
internal sealed class StandardErrorLog(LogLevel minimum, LogFormat format, TextWriter output, TimeProvider time) : ILoggerFactory
{
    private readonly LogLevel _minimum = minimum;
    private readonly TextWriter _output = TextWriter.Synchronized(output);

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one log, on standard error.");

    public void Dispose() { }

    private string Line<TState>(string category, LogLevel level, EventId id, TState state, string message, Exception? error) =>
        format == LogFormat.Json
            ? JsonLine(category, level, id, state as IEnumerable<KeyValuePair<string, object?>> ?? [], message, error)
            : TextLine(category, level, id, message, error);

    private string TextLine(string category, LogLevel level, EventId id, string message, Exception? error)
    {
        var text = error is null ? message : $"{message} {error.Message}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {level} {category}[{id.Id}] {PlainText.Of(text)}"
        );
    }

    private string JsonLine(
        string category,
        LogLevel level,
        EventId id,
        IEnumerable<KeyValuePair<string, object?>> fields,
        string message,
        Exception? error
    )
    {
        using var line = new MemoryStream();
        using (var writer = new Utf8JsonWriter(line))
        {
            writer.WriteStartObject();
            writer.WriteString("time", time.GetUtcNow());
            writer.WriteString("level", level.ToString());
            writer.WriteString("category", category);
            writer.WriteNumber("id", id.Id);
            writer.WriteString("event", id.Name);
            writer.WriteString("message", message);
            if (error is not null)
                writer.WriteString("error", error.Message);
            writer.WriteStartObject("fields");
            foreach (var (name, value) in fields)
            {
                if (name != "{OriginalFormat}")
                    Write(writer, name, value);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(line.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, string name, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNull(name);
                break;
            case bool flag:
                writer.WriteBoolean(name, flag);
                break;
            case int or long:
                writer.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumber(name, number);
                break;
            case string text:
                writer.WriteString(name, text);
                break;
            case IEnumerable many:
                writer.WriteString(name, string.Join(", ", many.Cast<object?>()));
                break;
            default:
                writer.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    private sealed class Category(StandardErrorLog log, string name) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && logLevel >= log._minimum;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (IsEnabled(logLevel))
                log._output.WriteLine(log.Line(name, logLevel, eventId, state, formatter(state, exception), exception));
        }
    }
}
