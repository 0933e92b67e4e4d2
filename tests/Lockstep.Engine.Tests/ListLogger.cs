using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Lockstep.Testing;

/// <summary>What was logged.</summary>
internal sealed record LogEntry(LogLevel Level, EventId Id, string Message, Exception? Error);

/// <summary>A log that a test reads. Thread-safe.</summary>
internal sealed class ListLogger : ILogger, ILoggerFactory
{
    public ConcurrentQueue<LogEntry> Entries { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    ) => Entries.Enqueue(new LogEntry(logLevel, eventId, formatter(state, exception), exception));

    public void Dispose() { }
}
