using System.Diagnostics;
using Lockstep.Ticks;
using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>
/// A store in Redis, shared by any number of machines. The primary's clock is the store's clock, and only the primary is read. A change is
/// decided here and committed by one script, which refuses it if another one came first; then it is decided again. What the server promises
/// about an acknowledged write is its operator's choice: see the options of the URI.
/// </summary>
public sealed class RedisTickStore : ITickStore, ITickChangeHints, IAsyncDisposable
{
    private static readonly TimeSpan LongestTry = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(25);

    /// <summary>A turn takes about this long: the next writer polls often, and one far behind seldom.</summary>
    private static readonly TimeSpan PausePerPlace = TimeSpan.FromMilliseconds(2);

    private readonly RedisStoreAddress _address;
    private readonly RedisKeys _keys;
    private readonly RedisConnection _connection;
    private readonly TickSettings? _newSettings;
    private readonly TimeProvider? _clock;
    private volatile bool _wasThere;
    private ConnectionMultiplexer? _heard;

    /// <summary>Names the server; opens nothing yet.</summary>
    /// <param name="uri">See <see cref="RedisTickStoreKind"/>. Its password never reaches an error or <see cref="Description"/>
    /// (I9).</param>
    /// <param name="create">The settings of the store if it is not there yet and the first operation makes it; null to find a missing store
    /// unavailable.</param>
    /// <exception cref="ArgumentException">The URI cannot be read.</exception>
    public RedisTickStore(string uri, TickSettings? create = null)
        : this(uri, create, null) { }

    /// <summary>As the public constructor, with another clock than the server's.</summary>
    internal RedisTickStore(string uri, TickSettings? create, TimeProvider? clock)
    {
        _address = RedisStoreAddress.Parse(uri);
        _keys = new RedisKeys(_address.Prefix);
        _connection = new RedisConnection(_address);
        _newSettings = create?.Check();
        _clock = clock;
    }

    /// <inheritdoc/>
    public event Action<string>? Changed;

    /// <inheritdoc/>
    public string Description => _address.Description;

    /// <inheritdoc/>
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) =>
        RunAsync(async database => (await ReadAsync(database, ["settings"]).ConfigureAwait(false)).Readings[0].Settings, cancellationToken);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        RunAsync(async database => (await ReadAsync(database, [variable]).ConfigureAwait(false)).Readings[0], cancellationToken);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<string>>(
            async database =>
            {
                var names = await EvaluateAsync(database, RedisScripts.List, [_keys.Store, _keys.Names], [RedisSchedules.Format])
                    .ConfigureAwait(false);
                if (names.IsNull)
                    await ReadAsync(database, ["settings"]).ConfigureAwait(false);
                return names.IsNull ? [] : [.. ((string?[])names!).OfType<string>().Order(StringComparer.Ordinal)];
            },
            cancellationToken
        );

    /// <inheritdoc/>
    public async Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    )
    {
        var trying = Stopwatch.StartNew();
        RedisWriter? writer = null;
        var waits = false;
        try
        {
            while (trying.Elapsed < LongestTry)
            {
                var state = await RunAsync(database => ReadAsync(database, variables), cancellationToken).ConfigureAwait(false);
                var edits = decide(state.Readings);
                cancellationToken.ThrowIfCancellationRequested();
                if (edits.All(edit => edit.Operations.Count == 0))
                    return TickCommit.Of(edits, state.Readings, state.Readings[0].StoreTime);

                writer ??= RedisWriter.Begin(state.ServerTime);
                var commit = RedisCommit.Of(_keys, variables, state, edits, who, writer, _clock?.GetUtcNow());
                var answer = await CommitAsync(commit, cancellationToken).ConfigureAwait(false);
                switch (answer.Word)
                {
                    case "ok":
                        waits = false;
                        return TickCommit.Of(edits, state.Readings, _clock?.GetUtcNow() ?? answer.Time);
                    case "late" when edits.Min(edit => edit.Deadline) is { } deadline:
                        // The server's clock said so: the time of the earliest deadline is just as good.
                        TickEdit.CheckDeadline(variables, edits, deadline);
                        break;
                    case "again":
                        waits = true;
                        break;
                    case "wait":
                        waits = true;
                        var pause = PausePerPlace * answer.Place;
                        await Task.Delay(pause < LongestPause ? pause : LongestPause, cancellationToken).ConfigureAwait(false);
                        break;
                }
            }

            throw Unavailable("other changes came first, again and again", outcomeUnknown: false, null);
        }
        finally
        {
            if (waits)
                _ = LeaveAsync(writer!);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<TickAuditEntry>>(
            async database =>
            {
                await ReadAsync(database, []).ConfigureAwait(false);
                var entries = await database
                    .StreamRangeAsync(_keys.Audit(variable), "-", "+", newest, Order.Descending, CommandFlags.DemandMaster)
                    .ConfigureAwait(false);
                return [.. entries.Reverse().Select(entry => RedisSchedules.Audit(variable, entry))];
            },
            cancellationToken
        );

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static Task<RedisResult> EvaluateAsync(IDatabaseAsync database, string script, RedisKey[] keys, RedisValue[] values) =>
        // The whole script each time: a restarted server knows none by its hash.
        database.ScriptEvaluateAsync(script, keys, values, CommandFlags.DemandMaster | CommandFlags.NoScriptCache);

    private async Task<RedisState> ReadAsync(IDatabase database, IReadOnlyList<string> variables)
    {
        // The store is created at most once: one that disappears later is down, not empty. An operation that began before it existed may
        // create it too.
        var creates = _newSettings is not null && !_wasThere;
        RedisKey[] keys = [_keys.Store, .. variables.Select(_keys.Variable)];
        var state = RedisSchedules.Read(await EvaluateAsync(database, RedisScripts.Read, keys, []).ConfigureAwait(false), Description);
        if (state is null && creates)
        {
            var fields = RedisSchedules.NewStore(_newSettings!);
            await EvaluateAsync(database, RedisScripts.Create, [_keys.Store], fields).ConfigureAwait(false);
            state = RedisSchedules.Read(await EvaluateAsync(database, RedisScripts.Read, keys, []).ConfigureAwait(false), Description);
        }

        _wasThere |= state is not null;
        if (state is not null && state.Readings.Length != variables.Count)
            throw new FormatException("it does not answer as a store does");
        if (state is null)
            throw Unavailable("there is no store of that prefix; setting a variable creates it", outcomeUnknown: false, null);
        return _clock is null
            ? state
            : state with
            {
                Readings = Array.ConvertAll(state.Readings, reading => reading with { StoreTime = _clock.GetUtcNow() }),
            };
    }

    /// <summary>Sends a change. From here on it is not cancelled: it is answered, or its outcome is unknown.</summary>
    private async Task<RedisOutcome> CommitAsync(RedisCommit commit, CancellationToken cancellationToken)
    {
        var connection = await RunAsync(database => Task.FromResult(database), cancellationToken).ConfigureAwait(false);
        var sent = false;
        try
        {
            if (_address.RequiresFsync)
                await RedisPromises.RequireFsyncAsync(connection).ConfigureAwait(false);
            if (_address.Replicas > 0)
                RedisPromises.RequireOneServer(connection);
            sent = true;
            var answering =
                _address.Replicas > 0
                    ? RedisPromises.CommitAsync(connection, commit, _address.Replicas, _address.WaitMs)
                    : EvaluateAsync(connection, RedisScripts.Commit, commit.Keys, commit.Values);
            var answer = RedisOutcome.Of(
                await answering.WaitAsync(_address.LongestOperation, CancellationToken.None).ConfigureAwait(false)
            );
            _connection.Succeeded();
            return answer;
        }
        catch (Exception e) when (RedisErrors.IsUnavailable(e))
        {
            _connection.Failed();
            throw Unavailable(RedisErrors.Reason(e), sent && !RedisErrors.DidNothing(e), e);
        }
    }

    /// <summary>Reports that a writer no longer waits. If that does not arrive, the writer counts as gone a moment later.</summary>
    private async Task LeaveAsync(RedisWriter writer)
    {
        try
        {
            var connection = await _connection.GetAsync(CancellationToken.None).ConfigureAwait(false);
            await connection.GetDatabase().SortedSetRemoveAsync(_keys.Waiting, writer.Id, CommandFlags.DemandMaster).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisErrors.IsUnavailable(e))
        {
            // Nothing depends on it.
        }
    }

    private async Task<T> RunAsync<T>(Func<IDatabase, Task<T>> operation, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            var connection = await _connection.GetAsync(cancellationToken).ConfigureAwait(false);
            if (Changed is not null && Interlocked.Exchange(ref _heard, connection) != connection)
                _ = ListenAsync(connection);
            var result = await operation(connection.GetDatabase())
                .WaitAsync(_address.LongestOperation, cancellationToken)
                .ConfigureAwait(false);
            _connection.Succeeded();
            return result;
        }
        catch (Exception e) when (RedisErrors.IsUnavailable(e))
        {
            _connection.Failed();
            throw Unavailable(RedisErrors.Reason(e), outcomeUnknown: false, e);
        }
        catch (OperationCanceledException)
        {
            _connection.Failed();
            throw;
        }
    }

    /// <summary>Subscribes to changes, if the server allows it; otherwise only time is lost.</summary>
    private async Task ListenAsync(ConnectionMultiplexer connection)
    {
        try
        {
            await connection
                .GetSubscriber()
                .SubscribeAsync(_keys.Channel, (_, variable) => Changed?.Invoke((string)variable!))
                .ConfigureAwait(false);
        }
        catch (Exception e) when (RedisErrors.IsUnavailable(e))
        {
            // The next connection tries again.
        }
    }

    private TickStoreUnavailableException Unavailable(string reason, bool outcomeUnknown, Exception? inner) =>
        new(Description, reason, outcomeUnknown, inner);
}
