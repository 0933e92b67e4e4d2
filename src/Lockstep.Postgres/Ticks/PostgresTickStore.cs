using System.Globalization;
using System.Net.Sockets;
using Lockstep.Ticks;
using Npgsql;

namespace Lockstep.Postgres.Ticks;

/// <summary>
/// A store in PostgreSQL tables (<c>lockstep_tick_*</c> in the first schema of the search path), shared by any number of machines. The
/// server's clock is the store's clock. Connections are pooled; after an outage the next operation reconnects.
/// </summary>
public sealed class PostgresTickStore : ITickStore
{
    /// <summary>How long a change waits for its turn, and how long the server may take for one statement.</summary>
    private const int TimeoutSeconds = 5;

    private readonly NpgsqlDataSource _source;
    private readonly TickSettings? _newSettings;
    private readonly TimeProvider? _clock;
    private readonly SemaphoreSlim _opening = new(1, 1);
    private volatile TickSettings? _settings;
    private volatile bool _isComplete;

    /// <summary>Names the server; opens nothing yet.</summary>
    /// <param name="connectionString">For Npgsql. Its password never reaches an error or <see cref="Description"/> (I9).</param>
    /// <param name="create">
    /// The settings with which the first operation creates the store's tables if they do not exist; null to treat missing tables as an
    /// unavailable store.
    /// </param>
    public PostgresTickStore(string connectionString, TickSettings? create = null)
        : this(connectionString, create, null) { }

    /// <summary>As the public constructor, with another clock than the server's.</summary>
    internal PostgresTickStore(string connectionString, TickSettings? create, TimeProvider? clock)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString)
        {
            CommandTimeout = TimeoutSeconds,
            ApplicationName = "lockstep",
            // A prepared statement would keep using the columns that the tables first had.
            MaxAutoPrepare = 0,
        };
        Description = Describe(builder);
        _source = NpgsqlDataSource.Create(builder);
        _newSettings = create?.Check();
        _clock = clock;
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <summary>The database without user and password (I9).</summary>
    internal static string Describe(NpgsqlConnectionStringBuilder settings) =>
        $"postgres://{settings.Host}:{settings.Port.ToString(CultureInfo.InvariantCulture)}/{settings.Database}";

    /// <inheritdoc/>
    public Task<TickSettings> ReadSettingsAsync(CancellationToken cancellationToken) =>
        RunAsync((_, settings) => Task.FromResult(settings), cancellationToken);

    /// <inheritdoc/>
    public Task<TickReading> ReadAsync(string variable, CancellationToken cancellationToken) =>
        RunAsync(
            async (connection, settings) => (await ReadAsync(connection, settings, [variable], cancellationToken).ConfigureAwait(false))[0],
            cancellationToken
        );

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync((connection, _) => PostgresTickTables.ReadNamesAsync(connection, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<TickCommit>> ChangeAsync(
        IReadOnlyList<string> variables,
        string who,
        Func<IReadOnlyList<TickReading>, IReadOnlyList<TickEdit>> decide,
        CancellationToken cancellationToken
    )
    {
        var committing = false;
        try
        {
            return await RunAsync(
                    async (connection, settings) =>
                    {
                        if (!_isComplete)
                            await PostgresTickTables.CompleteAsync(connection, Description, cancellationToken).ConfigureAwait(false);
                        _isComplete = true;
                        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
                        foreach (var variable in variables)
                            await PostgresTickTables.TakeTurnAsync(connection, variable, cancellationToken).ConfigureAwait(false);
                        var before = await ReadAsync(connection, settings, variables, cancellationToken).ConfigureAwait(false);
                        var edits = decide(before);
                        if (edits.Any(edit => edit.Operations.Count > 0))
                        {
                            await PostgresTickTables
                                .ApplyAsync(connection, variables.Zip(edits), who, before[0].StoreTime, cancellationToken)
                                .ConfigureAwait(false);
                        }

                        TickEdit.CheckDeadline(variables, edits, await NowAsync(connection, cancellationToken).ConfigureAwait(false));
                        cancellationToken.ThrowIfCancellationRequested();
                        committing = true;
                        await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                        committing = false;
                        return TickCommit.Of(
                            edits,
                            before,
                            await CommittedAtAsync(connection, before[0], cancellationToken).ConfigureAwait(false)
                        );
                    },
                    cancellationToken,
                    mayRepeat: () => !committing
                )
                .ConfigureAwait(false);
        }
        catch (TickStoreUnavailableException e) when (committing)
        {
            throw new TickStoreUnavailableException(Description, e.InnerException!.Message, outcomeUnknown: true, e.InnerException);
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<TickAuditEntry>> ReadAuditAsync(string variable, int newest, CancellationToken cancellationToken) =>
        RunAsync((connection, _) => PostgresTickTables.ReadAuditAsync(connection, variable, newest, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync().ConfigureAwait(false);
        _opening.Dispose();
    }

    private async Task<TickReading[]> ReadAsync(
        NpgsqlConnection connection,
        TickSettings settings,
        IReadOnlyList<string> variables,
        CancellationToken cancellationToken
    )
    {
        var readings = await PostgresTickTables
            .ReadAsync(connection, Description, settings, variables, cancellationToken)
            .ConfigureAwait(false);
        return _clock is null ? readings : Array.ConvertAll(readings, reading => reading with { StoreTime = _clock.GetUtcNow() });
    }

    private async Task<DateTimeOffset> NowAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        _clock?.GetUtcNow() ?? await PostgresTickTables.ReadClockAsync(connection, cancellationToken).ConfigureAwait(false);

    /// <summary>The change stands whatever now happens to the connection; without an answer it counts as late.</summary>
    private async Task<DateTimeOffset> CommittedAtAsync(
        NpgsqlConnection connection,
        TickReading before,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await NowAsync(connection, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            return before.StoreTime + TickTuple.MaximumTick;
        }
    }

    /// <summary>
    /// Retries once if the first connection turns out to be broken, as a pooled one is after a server restart. Never after a commit was
    /// sent.
    /// </summary>
    private async Task<T> RunAsync<T>(
        Func<NpgsqlConnection, TickSettings, Task<T>> operation,
        CancellationToken cancellationToken,
        Func<bool>? mayRepeat = null
    )
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
                return await operation(connection, _settings ?? await PrepareAsync(connection, cancellationToken).ConfigureAwait(false))
                    .ConfigureAwait(false);
            }
            catch (NpgsqlException e) when (attempt == 1 && e.InnerException is IOException && mayRepeat?.Invoke() != false)
            {
                _source.Clear();
            }
            catch (Exception e) when (e is IOException || PostgresErrors.IsOfDriver(e))
            {
                throw new TickStoreUnavailableException(Description, PostgresErrors.Shown(e), outcomeUnknown: false, e);
            }
        }
    }

    /// <summary>Creates the tables if requested, once, and reads the settings.</summary>
    private async Task<TickSettings> PrepareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_newSettings is not null)
                await PostgresTickTables.CreateAsync(connection, _newSettings, cancellationToken).ConfigureAwait(false);
            var settings =
                await PostgresTickTables.ReadSettingsAsync(connection, Description, cancellationToken).ConfigureAwait(false)
                ?? throw new TickStoreUnavailableException(Description, "its settings are missing", outcomeUnknown: false, null);
            return _settings = settings;
        }
        finally
        {
            _opening.Release();
        }
    }
}
