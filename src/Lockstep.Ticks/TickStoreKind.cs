namespace Lockstep.Ticks;

/// <summary>Stores that are named in one way, such as the databases of one kind of server. Immutable.</summary>
public abstract class TickStoreKind
{
    /// <summary>Whether a name is of this kind. Opens nothing.</summary>
    public abstract bool Owns(string name);

    /// <summary>The store without secrets (I9), as <see cref="ITickStore.Description"/> has it; never throws.</summary>
    public abstract string Describe(string name);

    /// <summary>Opens a store of this kind.</summary>
    /// <inheritdoc cref="TickStoreNames.OpenAsync"/>
    public abstract Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken);
}

/// <summary>Names of stores that processes share: whatever one of the kinds knows, or else the path of an SQLite file.</summary>
/// <param name="kinds">The kinds; the first that knows a name is used.</param>
public sealed class TickStoreNames(params TickStoreKind[] kinds)
{
    /// <summary>Whether a file is named. A text with what could be a password is never taken for a file's name (I9).</summary>
    public bool IsFile(string name) => Find(name) is null;

    /// <summary>The store without secrets (I9), as <see cref="ITickStore.Description"/> has it: a file's full path.</summary>
    public string Describe(string name) => Find(name)?.Describe(name) ?? Path.GetFullPath(name);

    /// <summary>Opens a store.</summary>
    /// <param name="name">Which.</param>
    /// <param name="create">The settings of the store if it is not there yet and is to be made; null to leave that to others. An existing
    /// file or database with something else in it is left alone.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentException">It is a connection string or URI that cannot be parsed, or the settings are wrong.</exception>
    /// <exception cref="TickTooSmallException">The default tick is too small.</exception>
    public Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken)
    {
        create?.Check();
        if (Find(name) is { } kind)
            return kind.OpenAsync(name, create, cancellationToken);

        // An empty file may be a store that another process is just creating.
        var file = new FileInfo(name);
        return Task.FromResult<ITickStore>(new SqliteTickStore(name, file.Exists && file.Length > 0 ? null : create));
    }

    private TickStoreKind? Find(string name) => Array.Find(kinds, kind => kind.Owns(name));
}
