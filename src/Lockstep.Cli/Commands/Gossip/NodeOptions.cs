using System.CommandLine;
using Lockstep.Cli.Output;
using Lockstep.Gossip.Hosting;
using Lockstep.Gossip.Models;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Security;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>Which model or events to use, with which id and keys to write, and how to print.</summary>
internal sealed class NodeOptions
{
    public const string JsonHelp = "Print one line of JSON for each value or event.";

    private const string Events = "events";

    private readonly Option<string?> _path = new("--path")
    {
        Description = "The file that keeps the node; created if it does not exist.",
        HelpName = "FILE",
    };
    private readonly Option<string?> _id = new("--id")
    {
        Description = "The id to write as. Default: that of the file or the key, else a random one.",
        HelpName = "ID",
    };
    private readonly Option<string?> _privateKey = new("--private-key")
    {
        Description = "Sign with this private key, PEM, and accept from others only what a --trusted-key has signed.",
        HelpName = "FILE",
    };
    private readonly Option<string?> _publicKey = new("--public-key")
    {
        Description = "The public key, PEM; for --npm-signatures.",
        HelpName = "FILE",
    };
    private readonly Option<string[]> _trusted = new("--trusted-key")
    {
        Description = "A public key, PEM, whose owner is trusted; may be given several times.",
        HelpName = "FILE",
    };
    private readonly Option<bool> _npm = new("--npm-signatures")
    {
        Description = "Sign as npm scuttlebutt does, by RSA with SHA-1, which is legacy. Default: ECDSA on P-256.",
    };
    private readonly Option<string?> _sharedName = new("--shared-name")
    {
        Description = "The name that all nodes of the model share: signatures cover it, and are valid for no other model.",
        HelpName = "NAME",
    };
    private readonly Option<bool> _modernOnly = new("--modern-only")
    {
        Description = "Accept only changes whose signature covers the shared name and a count, from any peer; none from npm's nodes.",
    };
    private readonly Option<string> _type = new("--type")
    {
        Description = "What the model is: " + string.Join(", ", GossipTypes.Names.Where(static name => name != Events)) + ".",
        HelpName = "TYPE",
        DefaultValueFactory = _ => "model",
    };
    private readonly Option<int?> _maxEvents = new("--max-events")
    {
        Description = "Keep only this many of the newest events.",
        HelpName = "N",
    };
    private readonly Option<double?> _maxAge = new("--max-age-sec")
    {
        Description = "Keep events, or the values of an expiry-model (a day by default), only for this long.",
        HelpName = "SECONDS",
    };
    private readonly Option<double> _maxFuture = new("--max-future-sec")
    {
        Description = "Hold updates stamped further ahead of this machine's clock until they are due.",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => 3600,
    };

    private readonly Option<int?> _maxSources = new("--max-sources")
    {
        Description = "Accept changes of at most this many sources, each of which costs memory permanently. Default: 100000.",
        HelpName = "N",
    };

    public Option<bool> Json { get; } = new("--json") { Description = JsonHelp };

    public void AddTo(Command command, bool events = false, bool offersValues = false)
    {
        Option[] all = [_path, _id, _privateKey, _publicKey, _trusted, _npm, _sharedName, _modernOnly, _maxFuture, _maxSources, Json];
        foreach (var option in all)
            command.Options.Add(option);
        if (!events || offersValues)
            command.Options.Add(_type);
        command.Options.Add(_maxAge);
        if (events)
            command.Options.Add(_maxEvents);
    }

    /// <summary>Reports problems of the opened node.</summary>
    public NodeTroubles Troubles { get; } = new();

    /// <summary>A model of the requested type.</summary>
    /// <exception cref="ArgumentException">
    /// There is no such type of values, or an option is invalid, for example one that applies only to events.
    /// </exception>
    public GossipNode OpenModel(ParseResult result)
    {
        var type = result.GetValue(_type)!;
        return type == Events || !GossipTypes.Names.Contains(type)
            ? throw new ArgumentException(
                $"--type takes one of {string.Join(", ", GossipTypes.Names.Where(static name => name != Events))}."
            )
            : Watched(GossipTypes.Create(type, Read(result), Retention(result)));
    }

    /// <exception cref="ArgumentException">An option is invalid.</exception>
    public LockstepEmitter OpenEvents(ParseResult result) => Watched(new LockstepEmitter(Read(result), Retention(result)));

    /// <summary>Without a file and a peer there is nothing to read or write.</summary>
    /// <exception cref="ArgumentException">Neither a file nor a peer is named.</exception>
    public void Require(ParseResult result, Uri? peer)
    {
        if (peer is null && result.GetValue(_path) is null)
            throw new ArgumentException("Use --path FILE or --peer URI.");
    }

    private T Watched<T>(T node)
        where T : GossipNode
    {
        node.Subscribe(Troubles);
        foreach (var missing in node.GetMissing())
            Troubles.OnMissing(missing);
        return node;
    }

    private EventRetention Retention(ParseResult result) =>
        new()
        {
            MaxEvents = OptionValue.AtLeast(1, result, _maxEvents),
            MaxAge = result.GetValue(_maxAge) is { } age ? Seconds(age, "--max-age-sec") : null,
        };

    private GossipNodeOptions Read(ParseResult result)
    {
        var options = new GossipNodeOptions
        {
            Path = result.GetValue(_path) is { } path ? Path.GetFullPath(path) : null,
            Id = result.GetValue(_id),
            MaxFuture = Seconds(result.GetValue(_maxFuture), "--max-future-sec"),
            Security = Keys(result),
            SharedName = result.GetValue(_sharedName),
            ModernOnly = result.GetValue(_modernOnly),
        };
        return OptionValue.AtLeast(1, result, _maxSources) is { } most ? options with { MaxSources = most } : options;
    }

    private GossipSecurity? Keys(ParseResult result)
    {
        var keys = new GossipKeyFiles
        {
            Signature = result.GetValue(_npm) ? GossipSignature.RsaSha1 : GossipSignature.EcdsaP256,
            PrivateKey = result.GetValue(_privateKey),
            PublicKey = result.GetValue(_publicKey),
            Trusted = result.GetValue(_trusted) ?? [],
        };
        return keys is { PrivateKey: null, PublicKey: null, Trusted: [], Signature: GossipSignature.EcdsaP256 } ? null : keys.Load();
    }

    private static TimeSpan Seconds(double value, string option) =>
        value is >= 0 and < 1e10 ? TimeSpan.FromSeconds(value) : throw new ArgumentException($"{option} takes seconds, 0 or more.");
}
