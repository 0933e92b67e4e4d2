using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;

namespace Lockstep.Ticks;

/// <summary>
/// Follows variables of one store for a spectator: what becomes active, at the instant it does, and what goes wrong meanwhile.
/// </summary>
public static class TickWatch
{
    /// <summary>
    /// Yields what happens until cancelled. All variables are in one sequence; a variable that has no value yet is waited for.
    /// </summary>
    /// <param name="store">The store; owned by the caller.</param>
    /// <param name="variables">The variables.</param>
    /// <param name="includeCurrent">Whether to start with the values that are already active.</param>
    /// <param name="time">This process's clock and timers; null for the system's.</param>
    /// <param name="cancellationToken">Ends the sequence with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="TickStoreUnavailableException">The store cannot be read at the start. Later failures are notices.</exception>
    public static async IAsyncEnumerable<TickNotice> RunAsync(
        ITickStore store,
        IReadOnlyCollection<string> variables,
        bool includeCurrent,
        TimeProvider? time = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        time ??= TimeProvider.System;
        var notices = Channel.CreateUnbounded<TickNotice>(new UnboundedChannelOptions { SingleReader = true });
        var observer = new Observer(notices.Writer, time, includeCurrent ? DateTimeOffset.MinValue : time.GetUtcNow());
        var locker = new TickLocker(store, new TickLockerOptions { TimeProvider = time, Observer = observer });
        try
        {
            foreach (var variable in variables)
                await locker.OpenAsync(variable, static json => JsonElement.Parse(json), cancellationToken).ConfigureAwait(false);
            await foreach (var notice in notices.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return notice;
        }
        finally
        {
            await locker.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <param name="notices">Receives notices.</param>
    /// <param name="time">The clock.</param>
    /// <param name="begun">What was active by then is not reported.</param>
    private sealed class Observer(ChannelWriter<TickNotice> notices, TimeProvider time, DateTimeOffset begun) : ITickObserver
    {
        /// <summary>How long the same trouble with the same variable is not reported again: a tick may be a fraction of a second.</summary>
        private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

        private readonly Dictionary<(string Variable, Trouble Kind), DateTimeOffset> _told = [];

        private enum Trouble
        {
            Stale = 0,
            Skewed = 1,
            Replaced = 2,
        }

        public void OnActivated(TickActivation activation)
        {
            if (activation.Tuple is { } tuple && tuple.ActiveAt > begun)
                notices.TryWrite(new TickActivated(activation));
        }

        public void OnRefreshFailed(TickStatus status)
        {
            if (status.IsStoreReplaced)
                Warn(status.Variable, Trouble.Replaced, () => $"'{status.Variable}': {status.LastError!.Message}");
        }

        public void OnStale(TickStatus status) =>
            Warn(
                status.Variable,
                Trouble.Stale,
                () =>
                    $"'{status.Variable}' may switch late: "
                    + (status.LastRefresh is { } last ? $"the store was last read at {last:O}." : "the store has not been read.")
                    + (status.LastError is { } error ? " " + error.Message : "")
            );

        public void OnSkewed(TickStatus status) =>
            Warn(
                status.Variable,
                Trouble.Skewed,
                () =>
                    $"This machine's clock is {status.ClockOffset!.Value.Duration().TotalMilliseconds:0} ms "
                    + $"{(status.ClockOffset > TimeSpan.Zero ? "behind" : "ahead of")} the store's, "
                    + $"more than the store allows: '{status.Variable}' does not switch with the others. Set the clock right."
            );

        private void Warn(string variable, Trouble kind, Func<string> message)
        {
            var now = time.GetUtcNow();
            lock (_told)
            {
                if (_told.TryGetValue((variable, kind), out var last) && now - last < Quiet)
                    return;
                _told[(variable, kind)] = now;
            }

            notices.TryWrite(new TickWarned(message()));
        }
    }
}

/// <summary>A report for a spectator.</summary>
public abstract record TickNotice;

/// <summary>A value became active.</summary>
/// <param name="Activation">The value and when; its tuple is not null.</param>
public sealed record TickActivated(TickActivation Activation) : TickNotice;

/// <summary>Something is wrong; watching continues.</summary>
/// <param name="Message">What is wrong, as sentences.</param>
public sealed record TickWarned(string Message) : TickNotice;
