namespace Lockstep;

/// <summary>
/// Where variables are kept: what <c>-Store</c> takes. It is <c>memory</c> for this session, the path of an SQLite file, a connection
/// string or URI of PostgreSQL, or a Redis URI. Its text form holds no password (I9); objects carry the whole store along the pipeline.
/// </summary>
public sealed class VariableStore
{
    private const string MemoryName = "memory";

    /// <summary>Names a store; nothing is opened.</summary>
    /// <param name="store"><c>memory</c>, a path, or a connection string.</param>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public VariableStore(string store)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(store);
        Text = store;
    }

    /// <summary>The store that lives as long as the session, in its memory.</summary>
    public static VariableStore Memory { get; } = new(MemoryName);

    /// <summary>The store without secrets.</summary>
    public string Description =>
        IsMemory ? MemoryName
        : IsFile ? Text
        : StoreNames.All.Describe(Text);

    /// <summary>As given, including a password.</summary>
    internal string Text { get; }

    internal bool IsMemory => string.Equals(Text, MemoryName, StringComparison.OrdinalIgnoreCase);

    internal bool IsFile => !IsMemory && StoreNames.All.IsFile(Text);

    /// <summary>The store without secrets.</summary>
    public override string ToString() => Description;
}
