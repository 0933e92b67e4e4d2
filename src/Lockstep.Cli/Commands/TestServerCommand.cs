using System.CommandLine;
using System.Globalization;
using System.Net;
using Lockstep.Cli.Output;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.TestServer;
using Lockstep.TestServer.Feeds;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep testserver: a scripted feed.</summary>
internal static class TestServerCommand
{
    // The maximum that a timer can count.
    private const int MostSeconds = int.MaxValue / 1000;

    public static Command Create()
    {
        var port = new Option<int>("--port")
        {
            Description = "The port; 0 picks a free one. The reference feed also uses the next port, which redirects to the feed.",
            HelpName = "N",
            DefaultValueFactory = _ => 4567,
        };
        var listen = new Option<string>("--listen-address")
        {
            Description = "The address to listen on.",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var feed = new Option<FeedKind?>("--feed")
        {
            Description =
                "What to serve: a feed of Lockstep's own, or that of another server such as ODataDelta or Kubernetes. "
                + "Default: Reference, or Scripted when there are records.",
        };
        var feedPath = new Option<string?>("--feed-path")
        {
            Description = "Where a feed of another server is, such as /v1.0/groups/delta.",
            HelpName = "PATH",
        };
        var pageSize = new Option<int>("--page-size")
        {
            Description = "How many items the pages of a feed of another server hold.",
            HelpName = "N",
            DefaultValueFactory = _ => 100,
        };
        var dialect = new Option<string?>("--dialect")
        {
            Description =
                "The dialect in which the Rest feed is served, as a JSON file; with --record-from the dialect of the feed, "
                + "by name or file.",
            HelpName = "FILE",
        };
        var record = new Option<string[]>("--record")
        {
            Description = "A record to serve, as JSON; may be given more than once.",
            HelpName = "JSON",
        };
        var path = new Option<string?>("--path")
        {
            Description = "A file of records to serve, one JSON object per line.",
            HelpName = "FILE",
        };
        var scenario = new Option<string?>("--scenario")
        {
            Description = "A scenario to run, as a JSON file of steps: send, waitForClients, fault, close and others.",
            HelpName = "FILE",
        };
        var replay = new Option<string?>("--replay") { Description = "A recording to replay, with its timing.", HelpName = "FILE" };
        var redirectHost = new Option<string?>("--redirect-host")
        {
            Description = "The host in the Location that the redirecting port sends. Default: 0.0.0.0, as in the original.",
            HelpName = "HOST",
        };
        var speed = new Option<double>("--speed")
        {
            Description = "How many times as fast to replay.",
            HelpName = "N",
            DefaultValueFactory = _ => 1,
        };

        var recordFrom = new Option<string?>("--record-from")
        {
            Description = "A feed to record, instead of serving one. A bearer token is taken from LOCKSTEP_TOKEN.",
            HelpName = "URI",
        };
        var recordTo = new Option<string?>("--record-to") { Description = "The file for the recording.", HelpName = "FILE" };
        var seconds = new Option<double?>("--seconds")
        {
            Description = "How long to record. Default: until the feed ends, or Ctrl+C.",
            HelpName = "N",
        };

        var site = new SiteOptions();
        var command = new Command("testserver", "Serve a feed for tests, until Ctrl+C; or record one to replay later.")
        {
            port,
            listen,
            feed,
            feedPath,
            pageSize,
            dialect,
            redirectHost,
            record,
            path,
            scenario,
            replay,
            speed,
            recordFrom,
            recordTo,
            seconds,
        };
        site.AddTo(command);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                if ((result.GetValue(recordFrom) is null) != (result.GetValue(recordTo) is null))
                    throw new ArgumentException("--record-from and --record-to belong together.");
                if (result.GetValue(speed) is not > 0)
                    throw new ArgumentException("--speed takes a number above 0.");
                var length = result.GetValue(seconds);
                if (length is not null and not (> 0 and <= MostSeconds))
                    throw new ArgumentException($"--seconds takes a number above 0, up to {MostSeconds}.");
                var number = OptionValue.Port(result, port);
                if (result.GetValue(recordFrom) is { } recorded)
                {
                    return await RecordAsync(
                            recorded,
                            Path.GetFullPath(result.GetValue(recordTo)!),
                            length,
                            result.GetValue(dialect),
                            cancellationToken
                        )
                        .ConfigureAwait(false);
                }

                var records = result.GetValue(record) ?? [];
                var file = result.GetValue(path);
                var options = new TestServerOptions
                {
                    Port = number,
                    ListenAddress = IPAddress.TryParse(result.GetValue(listen), out var address)
                        ? address
                        : throw new ArgumentException("--listen-address takes an IP address."),
                    Feed =
                        result.GetValue(feed)
                        ?? (
                            result.GetValue(replay) is not null ? FeedKind.Replay
                            : records.Length > 0 || file is not null || result.GetValue(scenario) is not null ? FeedKind.Scripted
                            : FeedKind.Reference
                        ),
                    Records = records,
                    RecordsFile = file,
                    AllowedHosts = site.Read(result).AllowedHosts,
                    AllowedOrigins = site.Read(result).AllowedOrigins,
                    RedirectHost = result.GetValue(redirectHost),
                    ScenarioFile = result.GetValue(scenario),
                    ReplayFile = result.GetValue(replay),
                    ReplaySpeed = result.GetValue(speed),
                };
                options.DialectFeed.Path = result.GetValue(feedPath);
                options.DialectFeed.PageSize = OptionValue.AtLeast(1, result, pageSize);
                options.DialectFeed.Description = result.GetValue(dialect) is { } described ? DialectDescription.Load(described) : null;
                var server = await StartAsync(options, cancellationToken).ConfigureAwait(false);
                await using (server.ConfigureAwait(false))
                {
                    Console.WriteLine($"Listening on port {server.Uri.Port}");
                    Console.WriteLine(server.FeedUri);
                    if (server.RedirectUri is { } redirect)
                        Console.WriteLine($"{redirect} redirects there.");
                    try
                    {
                        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
                    }
                    catch (OperationCanceledException)
                    {
                        // Ctrl+C and SIGTERM are the normal ways to end it.
                    }
                }

                return ExitCodes.Ok;
            }
        );
        return command;
    }

    /// <exception cref="ArgumentException">Records, a scenario or a recording on the command line cannot be read; the message is one
    /// line.</exception>
    private static async Task<LockstepTestServer> StartAsync(TestServerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await LockstepTestServer.StartAsync(options, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (TestServerOptions.IsBadInput(error))
        {
            throw new ArgumentException(error.Message.ReplaceLineEndings(" "), error);
        }
    }

    private static async Task<int> RecordAsync(
        string uri,
        string file,
        double? seconds,
        string? dialect,
        CancellationToken cancellationToken
    )
    {
        if (!Uri.TryCreate(uri, UriKind.Absolute, out var feed) || feed.Scheme is not ("http" or "https"))
            throw new ArgumentException("--record-from takes a feed's URI, which begins with http:// or https://.");
        var options = new FeedOptions { Uri = feed, BearerToken = Environment.GetEnvironmentVariable("LOCKSTEP_TOKEN") };
        var limits = new RecordingOptions { Duration = seconds is { } limit ? TimeSpan.FromSeconds(limit) : null };
        var recording = await (
            dialect is null
                ? FeedRecorder.RecordAsync(options, Cursor.Start, file, limits, cancellationToken: cancellationToken)
                : DialectRecorder.RecordAsync(options, DialectDescription.Load(dialect), file, limits, cancellationToken: cancellationToken)
        ).ConfigureAwait(false);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Recorded {recording.Bytes} bytes of a {recording.Status} answer in "
                    + $"{recording.Duration.TotalSeconds:0.000} s ({recording.End})."
            )
        );
        return ExitCodes.Ok;
    }
}
