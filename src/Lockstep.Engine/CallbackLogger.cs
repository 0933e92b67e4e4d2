using Microsoft.Extensions.Logging;

namespace Lockstep.Engine;

/// <summary>A log that passes important entries to a callback, which may be called concurrently from any thread.</summary>
/// <param name="minimum">The lowest level that is handed on.</param>
/// <param name="tell">Gets the level, the message, and the error if there is one; must not throw.</param>
/// <param name="isWanted">Which entries to hand on; null for all.</param>
internal sealed class CallbackLogger(LogLevel minimum, Action<LogLevel, string, Exception?> tell, Func<EventId, bool>? isWanted = null)
    : ILogger
{
    /// <summary>A log of warnings and errors only, as sentences.</summary>
    public static CallbackLogger OfWarnings(Action<string> tell) => new(LogLevel.Warning, (_, message, _) => tell(message));

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum && logLevel != LogLevel.None;

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        if (IsEnabled(logLevel) && isWanted?.Invoke(eventId) != false)
            tell(logLevel, formatter(state, exception), exception);
    }
}
