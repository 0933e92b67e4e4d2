using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Lockstep.Cli.Output;
using Lockstep.Engine.Gossip;
using Lockstep.TestServer.Gossip;
using Lockstep.TestServer.Hosting;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep gossip: a model that its peers, npm scuttlebutt among them, read and change as well.</summary>
internal static class GossipCommand
{
    public static Command Create() => new("gossip", "Share a model, keys with values, with peers that may all change it; they may be npm scuttlebutt.") { Listen(), Connect(), Get(), Set(), Watch() };

    private static Command Listen()
    {
        var model = new ModelOptions();
        var port = new Option<int>("--port") { Description = "The port; 0 picks a free one.", HelpName = "N" };
        var address = new Option<string>("--listen-address") { Description = "The address to listen on. Whoever reaches it may read and change the model.", HelpName = "ADDRESS", DefaultValueFactory = _ => "127.0.0.1" };
        var webSocket = new Option<bool>("--web-socket") { Description = "Speak over WebSocket instead of plain TCP." };
        var command = new Command("listen", "Offer a model to peers until Ctrl+C, and print each change.") { port, address, webSocket };
        model.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            IPAddress ip = IPAddress.TryParse(result.GetValue(address), out IPAddress? parsed) ? parsed : throw new ArgumentException("--listen-address takes an IP address.");
            LockstepModel shared = model.Open(result);
            await using var _ = shared.ConfigureAwait(false);
            var hub = new GossipHub(new KeyValuePair<string, GossipNode>("model", shared));
            var lines = new ModelLines(result.GetValue(model.Json));
            if (result.GetValue(webSocket))
            {
                GossipEndpoint endpoint = await GossipEndpoint.StartAsync(
                    new HttpEndpoint { Address = ip, Port = result.GetValue(port) }, hub, new GossipEndpointOptions { ConnectionFailed = ModelLines.Tell }, cancellationToken).ConfigureAwait(false);
                await using (endpoint.ConfigureAwait(false)) return await lines.FollowAsync(shared, endpoint.Uri, cancellationToken).ConfigureAwait(false);
            }

            GossipListener listener = Start(new IPEndPoint(ip, result.GetValue(port)), hub);
            await using (listener.ConfigureAwait(false)) return await lines.FollowAsync(shared, listener.Uri, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static Command Connect()
    {
        var model = new ModelOptions();
        var uri = new Argument<Uri>("uri") { Description = "The peer: tcp://host:port[/name], tls://..., ws://host:port/name, wss://...", CustomParser = ParseUri };
        var once = new Option<bool>("--once") { Description = "End when both sides have what the other had." };
        var command = new Command("connect", "Keep a model in step with a peer until Ctrl+C, and print each change.") { uri, once };
        model.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            Uri peer = result.GetValue(uri)!;
            LockstepModel shared = model.Open(result);
            await using var _ = shared.ConfigureAwait(false);
            if (result.GetValue(once))
            {
                await SyncOnceAsync(shared, peer, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
                return ExitCodes.Ok;
            }

            var connector = new GossipConnector(shared, peer);
            await using (connector.ConfigureAwait(false)) return await new ModelLines(result.GetValue(model.Json)).FollowAsync(shared, connector, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static Command Get()
    {
        var model = new ModelOptions();
        var keys = new Argument<string[]>("key") { Description = "The keys; all of them if none is given.", Arity = ArgumentArity.ZeroOrMore };
        var peer = PeerOption("Read it from this peer.");
        var command = new Command("get", "Print values of a model that is in a file, or at a peer.") { keys, peer };
        model.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            LockstepModel shared = model.Open(result, result.GetValue(peer));
            await using var _ = shared.ConfigureAwait(false);
            if (result.GetValue(peer) is { } uri) await SyncOnceAsync(shared, uri, GossipDirection.ReceiveOnly, cancellationToken).ConfigureAwait(false);
            var lines = new ModelLines(result.GetValue(model.Json));
            IEnumerable<string> wanted = result.GetValue(keys) is { Length: > 0 } named ? named : shared.Keys.Order(StringComparer.Ordinal);
            int exit = ExitCodes.Ok;
            foreach (string key in wanted)
            {
                if (shared.TryGet(key, out ModelChange? value) && !value.IsRemoved)
                {
                    lines.Write(value);
                }
                else
                {
                    await Console.Error.WriteLineAsync($"lockstep: The model has no value under the key '{key}'.").ConfigureAwait(false);
                    exit = ExitCodes.Error;
                }
            }

            return exit;
        });
        return command;
    }

    private static Command Set()
    {
        var model = new ModelOptions();
        var key = new Argument<string?>("key") { Description = "The key.", Arity = ArgumentArity.ZeroOrOne };
        var value = new Argument<string?>("value") { Description = "The value as JSON; what is no JSON is taken as text. null removes the key.", Arity = ArgumentArity.ZeroOrOne };
        var peer = PeerOption("Set it at this peer, also.");
        var command = new Command("set", "Set a value of a model that is in a file, or at a peer; with --json those that standard input has, one {\"key\":...,\"value\":...} a line.") { key, value, peer };
        model.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            bool json = result.GetValue(model.Json);
            string? name = result.GetValue(key);
            string? text = result.GetValue(value);
            if (json ? name is not null : text is null) throw new ArgumentException("Give a key and a value, or --json and lines on standard input.");

            LockstepModel shared = model.Open(result, result.GetValue(peer));
            await using var _ = shared.ConfigureAwait(false);

            // What the peer has comes first, so that what is set here is newer than it, whatever the clocks say.
            if (result.GetValue(peer) is { } before) await SyncOnceAsync(shared, before, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
            if (json) await SetLinesAsync(shared, Console.In, cancellationToken).ConfigureAwait(false);
            else shared.SetJson(name!, JsonOf(text!));
            if (result.GetValue(peer) is { } after) await SyncOnceAsync(shared, after, GossipDirection.Both, cancellationToken).ConfigureAwait(false);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Watch()
    {
        var uri = new Argument<Uri>("uri") { Description = "The peer.", CustomParser = ParseUri };
        var json = new Option<bool>("--json") { Description = ModelOptions.JsonHelp };
        var command = new Command("watch", "Print the values of a peer's model, and then each change until Ctrl+C. Nothing is kept.") { uri, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var shared = new LockstepModel();
            await using var _ = shared.ConfigureAwait(false);
            var options = new GossipConnectorOptions { Stream = new GossipStreamOptions { Direction = GossipDirection.ReceiveOnly } };
            var connector = new GossipConnector(shared, result.GetValue(uri)!, options);
            await using (connector.ConfigureAwait(false)) return await new ModelLines(result.GetValue(json)).FollowAsync(shared, connector, cancellationToken).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task SyncOnceAsync(LockstepModel model, Uri peer, GossipDirection direction, CancellationToken cancellationToken)
    {
        var options = new GossipConnectorOptions { Stream = new GossipStreamOptions { Direction = direction, Tail = false }, MaximumRetryCount = 0 };
        var connector = new GossipConnector(model, peer, options);
        await using (connector.ConfigureAwait(false)) await connector.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task SetLinesAsync(LockstepModel model, TextReader input, CancellationToken cancellationToken)
    {
        for (int number = 1; await input.ReadLineAsync(cancellationToken).ConfigureAwait(false) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                model.Set(document.RootElement.GetProperty("key").GetString()!, document.RootElement.GetProperty("value"));
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
            {
                throw new ArgumentException($"Line {number} of the input is not of the form {{\"key\":\"...\",\"value\":...}}; those before it are set.", e);
            }
        }
    }

    private static byte[] JsonOf(string text)
    {
        try
        {
            using JsonDocument value = JsonDocument.Parse(text);
            return Encoding.UTF8.GetBytes(text);
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToUtf8Bytes(text);
        }
    }

    private static GossipListener Start(IPEndPoint address, GossipHub hub)
    {
        try
        {
            return GossipListener.Start(address, hub, new GossipListenerOptions { ConnectionFailed = ModelLines.Tell });
        }
        catch (SocketException e)
        {
            throw new IOException($"Cannot listen on {address}: {e.Message}. Use --port 0 to have a free port picked, and an address of this machine.", e);
        }
    }

    private static Option<Uri?> PeerOption(string description) => new("--peer") { Description = description, HelpName = "URI", CustomParser = ParseUri };

    private static Uri? ParseUri(ArgumentResult argument)
    {
        if (Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out Uri? uri) && uri.Scheme is "tcp" or "tls" or "ws" or "wss" or "pipe") return uri;
        argument.AddError("A peer's URI begins with tcp://, tls://, ws://, wss:// or pipe://.");
        return null;
    }

    /// <summary>Which model is meant, and how it is printed.</summary>
    private sealed class ModelOptions
    {
        public const string JsonHelp = "Print one line of JSON for each value.";

        private readonly Option<string?> _path = new("--path") { Description = "The file that keeps the model, made if it is not there.", HelpName = "FILE" };
        private readonly Option<string?> _id = new("--id") { Description = "The id to write under. Default: the file's, else a random one.", HelpName = "ID" };

        public Option<bool> Json { get; } = new("--json") { Description = JsonHelp };

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_path, _id, Json]) command.Options.Add(option);
        }

        public LockstepModel Open(ParseResult result) => new(new GossipNodeOptions { Path = result.GetValue(_path) is { } path ? Path.GetFullPath(path) : null, Id = result.GetValue(_id) });

        /// <summary>Where the model is neither kept nor at a peer, there is nothing to read or set.</summary>
        public LockstepModel Open(ParseResult result, Uri? peer) =>
            peer is null && result.GetValue(_path) is null ? throw new ArgumentException("Say where the model is: --path FILE or --peer URI.") : Open(result);
    }

    /// <summary>Prints values, for people or for machines.</summary>
    private sealed class ModelLines(bool json)
    {
        private readonly Stream _output = Console.OpenStandardOutput();

        /// <summary>A connection that failed is no failure of the model.</summary>
        public static void Tell(Exception error) => Console.Error.WriteLine("lockstep: " + error.Message);

        /// <summary>Prints where the model is reached, its values and each change, until Ctrl+C.</summary>
        public Task<int> FollowAsync(LockstepModel model, Uri uri, CancellationToken cancellationToken)
        {
            if (json) JsonLines.Write(_output, writer => writer.WriteString("uri", uri.ToString()));
            else Console.WriteLine($"Listening on {uri}");
            return FollowAsync(model, cancellationToken);
        }

        /// <summary>Prints the values and each change, until Ctrl+C or until there is no sense in trying to connect again.</summary>
        public async Task<int> FollowAsync(LockstepModel model, GossipConnector connector, CancellationToken cancellationToken)
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task<int> following = FollowAsync(model, ending.Token);
            await Task.WhenAny(following, connector.Completion).ConfigureAwait(false);
            await ending.CancelAsync().ConfigureAwait(false);
            int exit = await following.ConfigureAwait(false);
            if (connector.Completion.IsFaulted) await connector.Completion.ConfigureAwait(false);
            return exit;
        }

        private async Task<int> FollowAsync(LockstepModel model, CancellationToken cancellationToken)
        {
            try
            {
                await foreach (ModelChange change in model.WatchAsync(includeExisting: true, cancellationToken).ConfigureAwait(false)) Write(change);
            }
            catch (OperationCanceledException)
            {
                // Ctrl+C and SIGTERM are how it ends.
            }

            return ExitCodes.Ok;
        }

        public void Write(ModelChange change)
        {
            if (!json)
            {
                Console.WriteLine($"{change.Key} = {change.Value.GetRawText()}");
                return;
            }

            JsonLines.Write(_output, writer =>
            {
                writer.WriteString("key", change.Key);
                writer.WritePropertyName("value");
                writer.WriteRawValue(change.Value.GetRawText(), skipInputValidation: true);
                writer.WriteNumber("timestamp", change.Update.Timestamp);
                writer.WriteString("source", change.Update.Source);
            });
            _output.Flush();
        }
    }
}
