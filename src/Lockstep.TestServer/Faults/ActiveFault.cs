namespace Lockstep.TestServer.Faults;

/// <summary>A fault that was added to a server. Its counts change; any thread may read them.</summary>
public sealed class ActiveFault
{
    private int _seen;
    private int _hits;

    internal ActiveFault(string id, Fault fault)
    {
        Id = id;
        Fault = fault;
        Kind = FaultKinds.Of(fault).Name;
        Parameters = FaultKinds.Of(fault).Show(fault);
    }

    /// <summary>Names it within its server.</summary>
    public string Id { get; }

    /// <summary>Its kind's name.</summary>
    public string Kind { get; }

    /// <summary>What it does to which requests, in a sentence; holds no secret.</summary>
    public string Description => Fault.ToString();

    /// <summary>The parameters that were given, by name; secrets are replaced by <c>***</c>.</summary>
    public IReadOnlyDictionary<string, object> Parameters { get; }

    /// <summary>The fault itself.</summary>
    public Fault Fault { get; }

    /// <summary>How many requests it has examined since it was added.</summary>
    public int Seen => Volatile.Read(ref _seen);

    /// <summary>How many of them it took part in.</summary>
    public int Hits => Volatile.Read(ref _hits);

    /// <summary>Counts a request, and returns whether the fault applies to it. Called under the list's lock.</summary>
    internal bool Takes(string? path)
    {
        if (Fault.Path is { } prefix && path?.StartsWith(prefix, StringComparison.Ordinal) != true)
            return false;
        Volatile.Write(ref _seen, _seen + 1);
        if ((Fault.Request is { } number && number != _seen) || _hits >= Fault.Times)
            return false;
        Volatile.Write(ref _hits, _hits + 1);
        return true;
    }

    /// <summary>
    /// Another fault has answered the request: this one is still to come, unless it was meant for that request alone. Called under the
    /// list's lock.
    /// </summary>
    internal void GiveBack()
    {
        if (Fault.Request is null)
            Volatile.Write(ref _hits, _hits - 1);
    }

    /// <summary>The id and the description.</summary>
    public override string ToString() => $"{Id}: {Description}";
}
