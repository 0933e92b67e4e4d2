using System.CommandLine;
using System.Runtime.InteropServices;
using Lockstep.Cli.Output;
using Lockstep.Cli.Serving;
using Lockstep.Engine;
using Lockstep.Serving;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep serve --config: runs until stopped, and reloads the configuration at each SIGHUP.</summary>
internal static class ConfiguredServe
{
    public static async Task<int> RunAsync(ParseResult result, string path, ServeOptions listening, CancellationToken cancellationToken)
    {
        using var logs = LogOptions.ForServer(result);
        var log = new ServeLog(logs.CreateLogger(ServeLog.Category));
        var config = ServeConfig.Read(path);
        using var certificate = listening.Certificate.Load(result);
        var options = ConfiguredServer.OptionsOf(config) with { Certificate = certificate, LoggerFactory = logs };
        var reload = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var signal = PosixSignalRegistration.Create(
            PosixSignal.SIGHUP,
            context =>
            {
                context.Cancel = true;
                Volatile.Read(ref reload).TrySetResult();
            }
        );
        try
        {
            var server = await FeedServer.StartAsync([], options, cancellationToken: cancellationToken).ConfigureAwait(false);
            var memory = new MemoryReturn();
            await using (memory.ConfigureAwait(false))
            await using (server.ConfigureAwait(false))
            {
                Console.WriteLine($"Listening on {server.Uri}");
                SystemdNotice.Send("READY=1");
                var configured = new ConfiguredServer(server, log, logs.CreateLogger(ServeLog.FeedsCategory));
                while (!cancellationToken.IsCancellationRequested)
                {
                    await configured.RunAsync(config, reload.Task, cancellationToken).ConfigureAwait(false);
                    if (cancellationToken.IsCancellationRequested)
                        break;
                    Volatile.Write(ref reload, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                    config = Reread(path, config, server, log);
                }

                SystemdNotice.Send("STOPPING=1");
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C and SIGTERM are the normal ways to end it.
        }

        return ExitCodes.Ok;
    }

    /// <summary>Reads the configuration again; keeps the previous one if the new one cannot be used.</summary>
    private static ServeConfig Reread(string path, ServeConfig now, FeedServer server, ServeLog log)
    {
        try
        {
            var config = ServeConfig.Read(path);
            server.UseCredentials(ConfiguredCredentials.Read(config.Credentials));
            log.Say(
                config.Listen.Port == now.Listen.Port && config.Listen.Address == now.Listen.Address
                    ? "The configuration was reloaded."
                    : "The configuration was reloaded; another address or port needs a restart."
            );
            return config;
        }
        catch (ArgumentException e)
        {
            log.Say($"The configuration is unchanged: {PlainText.MessageOf(e)}");
            return now;
        }
    }
}
