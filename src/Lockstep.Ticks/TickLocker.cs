using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Threading.Channels;

namespace Lockstep.Ticks;

/// <summary>How a <see cref="TickLocker"/> works.</summary>
public sealed record TickLockerOptions
{
    /// <summary>This process's clock and timers. Keep it right (by NTP); the locker compares it with the store's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Notified of what happens; null for none.</summary>
    public ITickObserver? Observer { get; init; }

    /// <summary>
    /// A file, used only by this program, that keeps the last known schedules, so that the program can start while the store is down; null
    /// for none. It holds the values in plain text.
    /// </summary>
    public string? BootstrapFile { get; init; }

    /// <summary>
    /// Whether variables are switched on the locker's own thread; null means yes if the clock is the system's. With a clock that a test
    /// sets, its timers decide.
    /// </summary>
    internal bool? SwitchOnOwnThread { get; init; }

    /// <summary>Spreads the refreshes; must be safe for use from many threads.</summary>
    internal Random Jitter { get; init; } = Random.Shared;
}

/// <summary>
/// Hands out a store's variables to a process and keeps them current. A variable is read from the store once when it is opened and then
/// once per tick, however many places use it. The locker's own thread switches them, so that a busy thread pool does not make them late.
/// All members may be used from any thread. The store is not disposed with it.
/// </summary>
public sealed class TickLocker : IAsyncDisposable
{
    private readonly ITickStore _store;
    private readonly TickLockerOptions _options;
    private readonly TickBootstrapFile? _bootstrap;
    private readonly TickSwitcher? _switcher;
    private readonly Lock _saving = new();
    private readonly SemaphoreSlim _opening = new(1, 1);
    private readonly Dictionary<string, TickFollower> _followers = new(StringComparer.Ordinal);
    private readonly Dictionary<(string, Type, object?), ITickView> _variables = [];
    private TickBootstrap? _lastKnown;
    private volatile TickFollower[] _all = [];
    private bool _disposed;

    /// <param name="store">The store.</param>
    /// <param name="options">The options; null for the defaults.</param>
    public TickLocker(ITickStore store, TickLockerOptions? options = null)
    {
        _store = store;
        _options = options ?? new TickLockerOptions();
        _bootstrap = _options.BootstrapFile is { } path ? new TickBootstrapFile(path) : null;
        if (store is ITickChangeHints hints)
            hints.Changed += OnHint;
        if (_options.SwitchOnOwnThread ?? _options.TimeProvider == TimeProvider.System)
            _switcher = new TickSwitcher(_options.TimeProvider, () => _all);
    }

    /// <summary>The state of each open variable.</summary>
    public IReadOnlyList<TickStatus> Status => [.. _all.Select(follower => follower.Status)];

    /// <summary>Opens a variable; returns the same object for the same name and type.</summary>
    /// <exception cref="TickStoreUnavailableException">The store cannot be read, and the bootstrap file does not know the
    /// variable.</exception>
    [RequiresUnreferencedCode("A trimmed program gives the type's JsonTypeInfo.")]
    [RequiresDynamicCode("A native program gives the type's JsonTypeInfo.")]
    public Task<TickVariable<T>> OpenAsync<T>(string variable, CancellationToken cancellationToken = default) =>
        OpenAsync(variable, static json => JsonSerializer.Deserialize<T>(json), cancellationToken);

    /// <summary>Opens a variable whose value is read by its type's contract; see the other overload.</summary>
    /// <inheritdoc cref="OpenAsync{T}(string, CancellationToken)" path="/exception"/>
    public Task<TickVariable<T>> OpenAsync<T>(string variable, JsonTypeInfo<T> type, CancellationToken cancellationToken = default) =>
        OpenAsync(variable, json => JsonSerializer.Deserialize(json, type), cancellationToken);

    /// <summary>
    /// Opens a variable with a default, which it has while no value is active, or none that can be read as its type. It opens even if the
    /// store cannot be reached and nothing is known about the variable; <see cref="TickVariable{T}.Status"/> says so, and the store's
    /// values take effect from the first successful read on.
    /// </summary>
    [RequiresUnreferencedCode("A trimmed program gives the type's JsonTypeInfo, or takes OpenBooleanAsync and its like.")]
    [RequiresDynamicCode("A native program gives the type's JsonTypeInfo, or takes OpenBooleanAsync and its like.")]
    public Task<TickVariable<T>> OpenAsync<T>(string variable, T otherwise, CancellationToken cancellationToken = default) =>
        OpenAsync(variable, static json => JsonSerializer.Deserialize<T>(json), cancellationToken, new TickDefault<T>(otherwise));

    /// <summary>Opens a variable with a default, read by its type's contract; see the other overload.</summary>
    public Task<TickVariable<T>> OpenAsync<T>(
        string variable,
        JsonTypeInfo<T> type,
        T otherwise,
        CancellationToken cancellationToken = default
    ) => OpenAsync(variable, json => JsonSerializer.Deserialize(json, type), cancellationToken, new TickDefault<T>(otherwise));

    /// <summary>Opens a variable that is true or false. Anything else in the store is reported as unreadable.</summary>
    /// <inheritdoc cref="OpenAsync{T}(string, T, CancellationToken)"/>
    public Task<TickVariable<bool>> OpenBooleanAsync(string variable, bool otherwise, CancellationToken cancellationToken = default) =>
        OpenAsync(variable, static json => Parsed(json, static value => value.GetBoolean()), cancellationToken, new(otherwise));

    /// <summary>Opens a variable that is a number. Anything else in the store is reported as unreadable.</summary>
    /// <inheritdoc cref="OpenAsync{T}(string, T, CancellationToken)"/>
    public Task<TickVariable<decimal>> OpenNumberAsync(string variable, decimal otherwise, CancellationToken cancellationToken = default) =>
        OpenAsync(variable, static json => Parsed(json, static value => value.GetDecimal()), cancellationToken, new(otherwise));

    /// <summary>Opens a variable that is text. Anything else in the store is reported as unreadable.</summary>
    /// <inheritdoc cref="OpenAsync{T}(string, T, CancellationToken)"/>
    public Task<TickVariable<string>> OpenTextAsync(string variable, string otherwise, CancellationToken cancellationToken = default) =>
        OpenAsync(
            variable,
            static json => Parsed(json, static value => value.GetString() ?? throw new JsonException("It is null, not text.")),
            cancellationToken,
            new(otherwise)
        );

    /// <summary>
    /// Opens a variable that says for which share of all keys something is on: see <see cref="TickPercentage"/>.
    /// <paramref name="otherwise"/> is the percentage while no value is active.
    /// </summary>
    /// <inheritdoc cref="OpenAsync{T}(string, T, CancellationToken)"/>
    public Task<TickVariable<TickPercentage>> OpenPercentageAsync(
        string variable,
        decimal otherwise = 0,
        CancellationToken cancellationToken = default
    ) =>
        OpenAsync(
            variable,
            json => TickPercentage.Parse(variable, json),
            cancellationToken,
            new TickDefault<TickPercentage>(new TickPercentage(variable, otherwise))
        );

    internal async Task<TickVariable<T>> OpenAsync<T>(
        string variable,
        Func<string, T?> read,
        CancellationToken cancellationToken,
        TickDefault<T>? otherwise = null
    )
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var key = (variable, typeof(T), (object?)otherwise);
            if (_variables.TryGetValue(key, out var known))
                return (TickVariable<T>)known;
            var follower = await FollowAsync(variable, mayStartEmpty: otherwise is not null, cancellationToken).ConfigureAwait(false);
            var opened = new TickVariable<T>(follower, read, otherwise is null ? default : otherwise.Value);
            follower.Attach(opened);
            _variables.Add(key, opened);
            return opened;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>
    /// Catches up with the clock at the start of a request, when timers may not have run since the last one (a frozen container, a stopped
    /// process). Does nothing, and no I/O, if nothing is due; never throws because of the store: <see cref="Status"/> says so.
    /// </summary>
    public ValueTask RefreshAsync(CancellationToken cancellationToken = default)
    {
        List<Task>? running = null;
        foreach (var follower in _all)
        {
            var refresh = follower.Pump();
            if (!refresh.IsCompleted)
                (running ??= []).Add(refresh);
        }

        return running is null ? ValueTask.CompletedTask : new ValueTask(Task.WhenAll(running).WaitAsync(cancellationToken));
    }

    /// <summary>
    /// Accepts the current store after it replaced the one read before (<see cref="TickStatus.IsStoreReplaced"/>). Its schedules are in
    /// force once the reads that this starts and awaits have finished.
    /// </summary>
    public async Task AdoptStoreAsync(CancellationToken cancellationToken = default)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            _lastKnown = LastKnown() with { Stamp = TickStoreStamp.Unknown };
            await Task.WhenAll(_all.Select(follower => follower.AdoptAsync())).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>
    /// Yields each value at the instant at which it becomes active in this process, from now on, until cancelled or until the locker is
    /// disposed.
    /// </summary>
    /// <exception cref="TickStoreUnavailableException">The store could not be reached for the first reading.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async IAsyncEnumerable<TickActivation> WatchAsync(
        string variable,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        TickFollower follower;
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            follower = await FollowAsync(variable, mayStartEmpty: false, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _opening.Release();
        }

        var activations = Channel.CreateUnbounded<TickActivation>(new UnboundedChannelOptions { SingleReader = true });
        follower.AddWatcher(activations.Writer);
        try
        {
            await foreach (var activation in activations.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return activation;
        }
        finally
        {
            follower.RemoveWatcher(activations.Writer);
        }
    }

    /// <summary>Stops all timers and waits for reads in progress; the variables keep their last values.</summary>
    public async ValueTask DisposeAsync()
    {
        await _opening.WaitAsync().ConfigureAwait(false);
        _disposed = true;
        _opening.Release();
        if (_store is ITickChangeHints hints)
            hints.Changed -= OnHint;
        _switcher?.Dispose();
        foreach (var follower in _all)
            await follower.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<TickFollower> FollowAsync(string variable, bool mayStartEmpty, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        TickTuple.CheckName(variable);
        if (_followers.TryGetValue(variable, out var known))
            return known;
        var lastKnown = LastKnown();
        var follower = new TickFollower(variable, _store, _options, lastKnown.Stamp, OnScheduleChanged);
        try
        {
            await follower
                .StartAsync(lastKnown.Schedules.GetValueOrDefault(variable), mayStartEmpty, cancellationToken)
                .ConfigureAwait(false);
        }
        catch
        {
            await follower.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        _followers.Add(variable, follower);
        _all = [.. _followers.Values];
        OnScheduleChanged();
        return follower;
    }

    private void OnHint(string variable)
    {
        foreach (var follower in _all)
        {
            if (follower.Name == variable)
                follower.Hint();
        }
    }

    private static T Parsed<T>(string json, Func<JsonElement, T> read)
    {
        try
        {
            return read(JsonElement.Parse(json));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new JsonException(e.Message, e);
        }
    }

    private void OnScheduleChanged()
    {
        _switcher?.Look();
        SaveBootstrap();
    }

    private TickBootstrap LastKnown()
    {
        if (_lastKnown is not null || _bootstrap is null)
            return _lastKnown ?? TickBootstrap.Empty;
        try
        {
            return _lastKnown = _bootstrap.Load();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            _options.Observer?.OnBootstrapFailed(_bootstrap.Path, e);
            return _lastKnown = TickBootstrap.Empty;
        }
    }

    private void SaveBootstrap()
    {
        if (_bootstrap is null)
            return;
        lock (_saving)
        {
            try
            {
                // Keeps what the file knew about variables that are not open yet.
                var known = _lastKnown ?? TickBootstrap.Empty;
                var schedules = new Dictionary<string, TickSchedule>(known.Schedules, StringComparer.Ordinal);
                var stamp = known.Stamp;
                foreach (var follower in _all.Where(follower => follower.IsKnown))
                {
                    schedules[follower.Name] = follower.Schedule;
                    stamp = Newer(stamp, follower.Stamp);
                }

                _bootstrap.Save(stamp, schedules);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _options.Observer?.OnBootstrapFailed(_bootstrap.Path, e);
            }
        }
    }

    /// <summary>Whether a stamp is of another store than the known one, or newer.</summary>
    private static TickStoreStamp Newer(TickStoreStamp known, TickStoreStamp read) =>
        read.Identity is not null && (read.Identity != known.Identity || read.Version > known.Version) ? read : known;
}
