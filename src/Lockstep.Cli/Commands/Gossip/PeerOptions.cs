using System.CommandLine;
using System.CommandLine.Parsing;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Lockstep.Gossip.Nodes;
using Lockstep.Gossip.Peers;

namespace Lockstep.Cli.Commands.Gossip;

/// <summary>How to reach a peer.</summary>
internal sealed class PeerOptions
{
    private readonly Option<string[]> _trusted = new("--trusted-certificate")
    {
        Description = "A certificate, PEM, that is trusted as the peer's own or its issuer's; may be given several times.",
        HelpName = "FILE",
    };
    private readonly Option<bool> _skipCheck = new("--skip-certificate-check") { Description = "Accept any certificate from the peer." };

    /// <summary>The option that names the peer, for commands that work without one.</summary>
    public static Option<Uri?> Peer(string description) =>
        new("--peer")
        {
            Description = description,
            HelpName = "URI",
            CustomParser = ParseUri,
        };

    public static Uri? ParseUri(ArgumentResult argument)
    {
        if (
            Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var uri)
            && uri.Scheme is "tcp" or "tls" or "ws" or "wss" or "pipe" or "stdio"
        )
        {
            return uri;
        }

        argument.AddError("A peer's URI begins with tcp://, tls://, ws://, wss:// or pipe://, or is stdio: for standard input and output.");
        return null;
    }

    public void AddTo(Command command)
    {
        command.Options.Add(_trusted);
        command.Options.Add(_skipCheck);
    }

    /// <exception cref="ArgumentException">A file is not a certificate.</exception>
    public GossipDialOptions Read(ParseResult result)
    {
        var trusted = new X509Certificate2Collection();
        foreach (var file in result.GetValue(_trusted) ?? [])
        {
            try
            {
                trusted.ImportFromPemFile(file);
            }
            catch (CryptographicException e)
            {
                throw new ArgumentException($"'{file}' has no certificate: {e.Message}");
            }
        }

        return GossipTrust.Dial(trusted, result.GetValue(_skipCheck));
    }

    /// <summary>Talks to the peer until each side has what the other had.</summary>
    public async Task SyncOnceAsync(
        ParseResult result,
        GossipNode node,
        Uri peer,
        GossipDirection direction,
        CancellationToken cancellationToken
    )
    {
        var stream = new GossipStreamOptions { Direction = direction, Tail = false };
        if (peer.Scheme == "stdio")
        {
            await SpeakAsync(node, peer, stream, cancellationToken).ConfigureAwait(false);
            return;
        }

        var connector = new GossipConnector(
            node,
            peer,
            new GossipConnectorOptions
            {
                Stream = stream,
                Dial = Read(result),
                MaximumRetryCount = 0,
            }
        );
        await using (connector.ConfigureAwait(false))
            await connector.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Talks over one stream until it ends: there is only one standard input and output.</summary>
    public static async Task SpeakAsync(GossipNode node, Uri peer, GossipStreamOptions options, CancellationToken cancellationToken)
    {
        var stream = await GossipDialer.ConnectAsync(peer, null, cancellationToken).ConfigureAwait(false);
        await node.RunAsync(stream, options, cancellationToken).ConfigureAwait(false);
    }
}
