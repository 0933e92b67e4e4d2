using System.CommandLine;
using System.Runtime.InteropServices;
using Lockstep.Cli.Output;
using Lockstep.Cli.Serving;
using Lockstep.Engine;
using Lockstep.Serving;

namespace Lockstep.Cli.Commands;

/// <summary>lockstep serve --config: runs until stopped, and reloads the configuration at each SIGHUP.</summary>
/// <param name="result">The command line, which may give the certificate and the log.</param>
/// <param name="path">The configuration's file.</param>
/// <param name="listening">The options of a server.</param>
internal sealed class ConfiguredServe(ParseResult result, string path, ServeOptions listening)
{
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        ConfigPlaces.Check(result);
        var first = ServeConfig.Read(path);
        var config = first;
        using var logs = new SwitchedLog(LogOptions.ForServer(result, config.Log));
        var log = new ServeLog(logs.CreateLogger(ServeLog.Category));
        var options = OptionsOf(config) with { LoggerFactory = logs };
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
                foreach (var notice in ServeNotices.Of(options, isFile: true))
                    log.Say(notice);
                SystemdNotice.Send("READY=1");
                try
                {
                    var configured = new ConfiguredServer(server, log, logs.CreateLogger(ServeLog.FeedsCategory));
                    while (!cancellationToken.IsCancellationRequested)
                    {
                        await configured.RunAsync(config, reload.Task, cancellationToken).ConfigureAwait(false);
                        if (cancellationToken.IsCancellationRequested)
                            break;
                        Volatile.Write(ref reload, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                        config = Reread(first, server, logs, log) ?? config;
                    }
                }
                finally
                {
                    SystemdNotice.Send("STOPPING=1");
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl+C and SIGTERM are the normal ways to end it.
        }

        return ExitCodes.Ok;
    }

    /// <exception cref="ArgumentException">An address or a certificate is invalid, or a secret is missing or unused.</exception>
    private FeedServerOptions OptionsOf(ServeConfig config)
    {
        // A token meant to keep people out must not be ignored.
        if (
            Environment.GetEnvironmentVariable(ServeOptions.TokenVariable) is { Length: > 0 }
            && config.Credentials.All(credential => credential.TokenVariable != ServeOptions.TokenVariable)
        )
        {
            throw new ArgumentException(
                $"The environment variable {ServeOptions.TokenVariable} has no effect beside {ConfigPlaces.Config}: name it in "
                    + "credentials[].tokenVariable there, or unset it."
            );
        }

        var certificate = listening.Certificate.Load(result) ?? ConfiguredServer.CertificateOf(config);
        return ConfiguredServer.OptionsOf(config) with
        {
            Certificate = certificate?.Certificate,
            CertificateChain = certificate?.Chain ?? [],
        };
    }

    /// <summary>
    /// Reads the configuration again and applies what differs from the first, with which the server was started; null if it cannot be used,
    /// so that the previous one stays.
    /// </summary>
    private ServeConfig? Reread(ServeConfig first, FeedServer server, SwitchedLog logs, ServeLog log)
    {
        try
        {
            var config = ServeConfig.Read(path);
            var options = OptionsOf(config);
            server.UseCredentials(options.Credentials);
            if (server.Uri.Scheme == Uri.UriSchemeHttps && options.Certificate is { } certificate)
                server.UseCertificate(certificate, options.CertificateChain);
            logs.Use(LogOptions.ForServer(result, config.Log));
            var kept = config.RestartMembers(first).ToArray();
            log.Say(
                kept.Length == 0
                    ? "The configuration was reloaded."
                    : $"The configuration was reloaded, except what needs a restart: {string.Join(", ", kept)}."
            );
            foreach (var notice in ServeNotices.Of(options, isFile: true))
                log.Say(notice);
            return config;
        }
        catch (ArgumentException e)
        {
            log.Fail($"The configuration is unchanged: {PlainText.MessageOf(e)}");
            return null;
        }
    }
}
