using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Lockstep.Engine;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Recording;
using Lockstep.Engine.Records;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Feeds;

namespace Lockstep.TestServer;

/// <summary>The server as a program: with no arguments it is the reference server.</summary>
internal static class Program
{
    private const string Usage = """
        Usage: Lockstep.TestServer [options]

          --port <n>         Port to listen on; 0 picks a free one. Default: PORT of the environment, else 4567.
                             The reference feed takes the port after it, too, which redirects to the feed.
          --listen <address> Address to listen on. Default: 127.0.0.1.
          --allowed-host <name>
                             A name to answer to besides IP addresses and, on loopback, localhost. May be repeated.
          --redirect-host <host>
                             Host in the Location of the port that redirects. Default: 0.0.0.0, as the original says it.
          --feed <kind>      reference, finite or scripted; or that of another server: odatadelta, kubernetes, couchdb, eventstream, rest,
                             shape, durablestream. Default: reference, or scripted with --records or --scenario.
          --records <file>   Records for the feed, one JSON object a line.
          --feed-path <path> Where a feed of another server is, such as /v1.0/groups/delta.
          --page-size <n>    How many items its pages hold. Default: 100.
          --dialect <file>   The dialect in which the rest feed is served, as a JSON file.
          --replay <file>    Serve a recording.
          --speed <factor>   How much faster than it was recorded. Default: 1; max leaves the pauses out.
          --record <uri>     Save what a feed answers to cursor 0, with its timing, instead of serving.
          --record-to <file> Where to save it. Ends with the response, with Ctrl+C, or after --seconds.
          --seconds <n>      How long to record.
          --scenario <file>  Steps to run from the start, as JSON; for the scripted feed.
          --help             This text.
        """;

    // What a timer can count.
    private const int MostSeconds = int.MaxValue / 1000;

    private static async Task<int> Main(string[] args)
    {
        TestServerOptions? options;
        (Uri Feed, string File, RecordingOptions Options)? recording;
        try
        {
            recording = ParseRecording(args);
            options = recording is null ? Parse(args, Environment.GetEnvironmentVariable("PORT")) : null;
        }
        catch (ArgumentException error)
        {
            return await FailAsync(error, 2).ConfigureAwait(false);
        }
        if (options is null && recording is null)
        {
            Console.WriteLine(Usage);
            return 0;
        }
        try
        {
            if (recording is { } record)
                await RecordAsync(record.Feed, record.File, record.Options).ConfigureAwait(false);
            else
                await RunAsync(options!).ConfigureAwait(false);
            return 0;
        }
        catch (Exception error) when (recording is null && TestServerOptions.IsBadInput(error))
        {
            return await FailAsync(error, 2).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or LockstepException)
        {
            return await FailAsync(error, 1).ConfigureAwait(false);
        }
    }

    /// <summary>One line says why, whatever the message holds.</summary>
    private static async Task<int> FailAsync(Exception error, int exitCode)
    {
        var message = error is ListenException unheard ? $"{unheard.Message} {unheard.RecommendedAction}" : PlainText.MessageOf(error);
        await Console.Error.WriteLineAsync(PlainText.Of(message.ReplaceLineEndings(" "))).ConfigureAwait(false);
        return exitCode;
    }

    /// <returns>Null when help is asked for.</returns>
    internal static TestServerOptions? Parse(string[] args, string? environmentPort)
    {
        TestServerOptions options = new();
        if (!string.IsNullOrEmpty(environmentPort))
            options.Port = Port("PORT", environmentPort);
        for (var i = 0; i < args.Length; i++)
        {
            var name = args[i];
            if (name is "--help" or "-h" or "-?")
                return null;
            var value = i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{name} needs a value.");
            switch (name)
            {
                case "--port":
                    options.Port = Port(name, value);
                    break;
                case "--listen":
                    options.ListenAddress = IPAddress.TryParse(value, out var address)
                        ? address
                        : throw new ArgumentException($"{value} is not an IP address.");
                    break;
                case "--allowed-host":
                    options.AllowedHosts = [.. options.AllowedHosts, value];
                    break;
                case "--redirect-host":
                    options.RedirectHost = value;
                    break;
                case "--feed":
                    options.Feed =
                        // By name: a number is one only to programmers.
                        Enum.TryParse(value, ignoreCase: true, out FeedKind feed)
                        && Enum.IsDefined(feed)
                        && char.IsAsciiLetter(value[0])
                            ? feed
                            : throw new ArgumentException(
                                $"{value} is not a feed: choose one of {string.Join(", ", Enum.GetNames<FeedKind>()).ToLowerInvariant()}."
                            );
                    break;
                case "--records":
                    options.RecordsFile = value;
                    TakeRecords(options);
                    break;
                case "--feed-path":
                    options.DialectFeed.Path = value;
                    break;
                case "--page-size":
                    options.DialectFeed.PageSize = (int)Number(name, value, 1_000_000);
                    break;
                case "--dialect":
                    options.DialectFeed.Description = Load(value);
                    break;
                case "--replay":
                    options.ReplayFile = value;
                    options.Feed = FeedKind.Replay;
                    break;
                case "--speed":
                    options.ReplaySpeed = value == "max" ? double.PositiveInfinity : Number(name, value);
                    break;
                case "--scenario":
                    options.ScenarioFile = value;
                    TakeRecords(options);
                    break;
                default:
                    throw new ArgumentException($"{name} is not an option.");
            }
        }
        return options;
    }

    /// <summary>Records and scenarios are for the scripted feed, unless another one that takes records was asked for before.</summary>
    private static void TakeRecords(TestServerOptions options)
    {
        if (!TestServerOptions.TakesRecords(options.Feed))
            options.Feed = FeedKind.Scripted;
    }

    private static DialectDescription Load(string file)
    {
        try
        {
            return DialectDescription.Load(file);
        }
        catch (DialectFormatException error)
        {
            throw new ArgumentException(error.Message, error);
        }
    }

    private static async Task RunAsync(TestServerOptions options)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        var server = await LockstepTestServer.StartAsync(options).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            _ = server.CurrentScenario?.Completion.ContinueWith(
                failed => Console.Error.WriteLine(PlainText.Of($"The scenario failed: {server.CurrentScenario.Error}")),
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default
            );
            Console.WriteLine($"Listening on port {server.Uri.Port}");
            await ended.Task.ConfigureAwait(false);
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            ended.TrySetResult();
        }
    }

    /// <returns>Null when there is nothing to record.</returns>
    internal static (Uri Feed, string File, RecordingOptions Options)? ParseRecording(string[] args)
    {
        if (!args.Contains("--record"))
            return null;
        Dictionary<string, string> given = [];
        for (var i = 0; i < args.Length; i += 2)
        {
            if (args[i] is not ("--record" or "--record-to" or "--seconds"))
                throw new ArgumentException($"{args[i]} is not an option of --record.");
            given[args[i]] = i + 1 < args.Length ? args[i + 1] : throw new ArgumentException($"{args[i]} needs a value.");
        }
        if (!given.TryGetValue("--record", out var uri) || !IsFeed(uri, out var feed))
            throw new ArgumentException("--record takes a feed's URI, which begins with http:// or https://.");
        if (!given.TryGetValue("--record-to", out var file))
            throw new ArgumentException("--record needs --record-to with a file to save to.");
        TimeSpan? duration = given.TryGetValue("--seconds", out var seconds)
            ? TimeSpan.FromSeconds(Number("--seconds", seconds, MostSeconds))
            : null;
        return (feed, file, new RecordingOptions { Duration = duration });
    }

    private static async Task RecordAsync(Uri feed, string file, RecordingOptions options)
    {
        using CancellationTokenSource ended = new();
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        var recording = await FeedRecorder
            .RecordAsync(new FeedOptions { Uri = feed }, Cursor.Start, file, options, cancellationToken: ended.Token)
            .ConfigureAwait(false);
        Console.WriteLine($"Recorded {recording.Bytes} bytes in {recording.Duration.TotalSeconds:0.000} s ({recording.End})");

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            ended.Cancel();
        }
    }

    private static bool IsFeed(string text, [NotNullWhen(true)] out Uri? feed) =>
        Uri.TryCreate(text, UriKind.Absolute, out feed) && (feed.Scheme is "http" or "https");

    private static double Number(string name, string value, double most = double.MaxValue) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= most
            ? number
            : throw new ArgumentException($"{name} takes a number above 0, not {value}.");

    private static int Port(string name, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= IPEndPoint.MaxPort
            ? port
            : throw new ArgumentException($"{name} must be a port number from 0 to {IPEndPoint.MaxPort}, not {value}.");
}
