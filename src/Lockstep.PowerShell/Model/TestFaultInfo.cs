using Lockstep.TestServer.Faults;

namespace Lockstep;

/// <summary>A fault of a test server. Its counts are what is so at the moment of asking.</summary>
public sealed class TestFaultInfo
{
    private readonly Func<(int Seen, int Hits)> _counts;

    internal TestFaultInfo(ActiveFault fault, TestServerInfo server)
    {
        Id = fault.Id;
        Kind = fault.Kind;
        Description = fault.Description;
        Parameters = fault.Parameters.ToDictionary(parameter => parameter.Key, parameter => parameter.Value is Enum name ? name.ToString() : parameter.Value, StringComparer.OrdinalIgnoreCase);
        Server = server;
        _counts = () => (fault.Seen, fault.Hits);
    }

    /// <summary>Names it within its server.</summary>
    public string Id { get; }

    /// <summary>The name of its kind.</summary>
    public string Kind { get; }

    /// <summary>What it does to which requests.</summary>
    public string Description { get; }

    /// <summary>The parameters that were given; secrets are hidden.</summary>
    public IReadOnlyDictionary<string, object> Parameters { get; }

    /// <summary>How many requests it has looked at.</summary>
    public int Seen => _counts().Seen;

    /// <summary>How many of them it took a part in.</summary>
    public int Hits => _counts().Hits;

    /// <summary>The server whose fault it is.</summary>
    public TestServerInfo Server { get; }

    /// <summary>The id and the description.</summary>
    public override string ToString() => $"{Id}: {Description}";
}
