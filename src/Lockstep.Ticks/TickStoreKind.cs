namespace Lockstep.Ticks;

/// <summary>A kind of store with its own form of names, such as the databases of one type of server. Immutable.</summary>
public abstract class TickStoreKind
{
    /// <summary>Whether a name is of this kind. Opens nothing.</summary>
    public abstract bool Owns(string name);

    /// <summary>The store without secrets (I9), as in <see cref="ITickStore.Description"/>; never throws.</summary>
    public abstract string Describe(string name);

    /// <summary>Opens a store of this kind.</summary>
    /// <inheritdoc cref="TickStoreNames.OpenAsync"/>
    public abstract Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken);
}

/// <summary>Names of stores that processes share: whatever one of the kinds recognises, otherwise the path of an SQLite file.</summary>
/// <param name="kinds">The kinds; the first that recognises a name is used.</param>
public sealed class TickStoreNames(params TickStoreKind[] kinds)
{
    /// <summary>Whether a name is that of a file. A text that may contain a password is never treated as a file's name (I9).</summary>
    public bool IsFile(string name) => Find(name) is null;

    /// <summary>The store without secrets (I9), as in <see cref="ITickStore.Description"/>: a file's full path.</summary>
    public string Describe(string name) => Find(name)?.Describe(name) ?? Path.GetFullPath(name);

    /// <summary>Opens a store.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="create">
    /// The settings with which to create the store if it does not exist; null to leave that to others. An existing file or database with
    /// other contents is left alone.
    /// </param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="ArgumentException">
    /// The name is a connection string or URI that cannot be parsed, or the settings are invalid.
    /// </exception>
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
