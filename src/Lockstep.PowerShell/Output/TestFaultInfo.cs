namespace Lockstep;

/// <summary>A fault of a test server. Its counts are read live.</summary>
public sealed class TestFaultInfo
{
    private readonly Func<(int Seen, int Hits)> _counts;

    internal TestFaultInfo(TestServerInfo server, Func<(int Seen, int Hits)> counts)
    {
        Server = server;
        _counts = counts;
    }

    /// <summary>Its id, unique within its server.</summary>
    public string Id { get; internal init; } = "";

    /// <summary>The name of its kind.</summary>
    public string Kind { get; internal init; } = "";

    /// <summary>What it does to which requests.</summary>
    public string Description { get; internal init; } = "";

    /// <summary>The parameters given; secrets are hidden.</summary>
    public IReadOnlyDictionary<string, object> Parameters { get; internal init; } = new Dictionary<string, object>();

    /// <summary>How many requests it has seen.</summary>
    public int Seen => _counts().Seen;

    /// <summary>How many of them it took part in.</summary>
    public int Hits => _counts().Hits;

    /// <summary>The server that it belongs to.</summary>
    public TestServerInfo Server { get; }

    /// <summary>The id and the description.</summary>
    public override string ToString() => $"{Id}: {Description}";
}

/// <summary>A kind of fault that a test server can have.</summary>
/// <param name="Kind">Its name, for <c>Add-LockstepTestFault -Kind</c>.</param>
/// <param name="Description">What it does.</param>
/// <param name="Parameter">Its parameters, one per line: name, type and meaning.</param>
public sealed record TestFaultKindInfo(string Kind, string Description, IReadOnlyList<string> Parameter);
