using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>A log that another one can replace while loggers are in use, when a configuration is reloaded. Thread-safe.</summary>
internal sealed class SwitchedLog(ILoggerFactory first) : ILoggerFactory
{
    private volatile ILoggerFactory _current = first;

    public void Use(ILoggerFactory other) => _current = other;

    public ILogger CreateLogger(string categoryName) => new Category(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("There is one log, on standard error.");

    public void Dispose() => _current.Dispose();

    private sealed class Category(SwitchedLog log, string name) : ILogger
    {
        private volatile Created _created = new(log._current, log._current.CreateLogger(name));

        private ILogger Current
        {
            get
            {
                var (factory, created) = (log._current, _created);
                if (created.By != factory)
                    _created = created = new Created(factory, factory.CreateLogger(name));
                return created.Logger;
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => Current.IsEnabled(logLevel);

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Current.Log(logLevel, eventId, state, exception, formatter);

        private sealed record Created(ILoggerFactory By, ILogger Logger);
    }
}
