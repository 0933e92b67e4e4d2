using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Hosting;

namespace Lockstep.TestServer;

/// <summary>The server as a program: with no arguments it is the reference server.</summary>
internal static class Program
{
    private const string Usage =
        """
        Usage: Lockstep.TestServer [options]

          --port <n>         Port to listen on; 0 picks a free one. Default: PORT of the environment, else 4567.
          --listen <address> Address to listen on. Default: 127.0.0.1.
          --feed <kind>      reference, finite or scripted. Default: reference, or scripted with --records.
          --records <file>   Records for the scripted feed, one JSON object a line.
          --help             This text.
        """;

    private static async Task<int> Main(string[] args)
    {
        TestServerOptions? options;
        try
        {
            options = Parse(args, Environment.GetEnvironmentVariable("PORT"));
        }
        catch (ArgumentException error)
        {
            await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            await Console.Error.WriteLineAsync(Usage).ConfigureAwait(false);
            return 2;
        }
        if (options is null)
        {
            Console.WriteLine(Usage);
            return 0;
        }
        try
        {
            await RunAsync(options).ConfigureAwait(false);
            return 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or InvalidRecordException)
        {
            await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            return 1;
        }
    }

    /// <returns>Null when help is asked for.</returns>
    internal static TestServerOptions? Parse(string[] args, string? environmentPort)
    {
        TestServerOptions options = new();
        if (!string.IsNullOrEmpty(environmentPort))
            options.Port = Port("PORT", environmentPort);
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            if (name is "--help" or "-h" or "-?")
                return null;
            string value = i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{name} needs a value.");
            switch (name)
            {
                case "--port":
                    options.Port = Port(name, value);
                    break;
                case "--listen":
                    options.ListenAddress = IPAddress.TryParse(value, out IPAddress? address) ? address : throw new ArgumentException($"{value} is not an IP address.");
                    break;
                case "--feed":
                    options.Feed = Enum.TryParse(value, ignoreCase: true, out FeedKind feed) ? feed : throw new ArgumentException($"{value} is no feed: choose reference, finite or scripted.");
                    break;
                case "--records":
                    options.RecordsFile = value;
                    options.Feed = FeedKind.Scripted;
                    break;
                default:
                    throw new ArgumentException($"{name} is not an option.");
            }
        }
        return options;
    }

    private static async Task RunAsync(TestServerOptions options)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using PosixSignalRegistration interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        LockstepTestServer server = await LockstepTestServer.StartAsync(options).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            Console.WriteLine($"Listening on port {server.Uri.Port}");
            await ended.Task.ConfigureAwait(false);
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            ended.TrySetResult();
        }
    }

    private static int Port(string name, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port <= IPEndPoint.MaxPort
            ? port
            : throw new ArgumentException($"{name} must be a port number from 0 to {IPEndPoint.MaxPort}, not {value}.");
}
