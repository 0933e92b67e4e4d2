using System.Diagnostics;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>A sync in a process of its own, which is killed (SIGKILL) around one of its requests.</summary>
internal sealed class KilledSync(string path)
{
    /// <summary>How many were killed while they ran; others had ended before.</summary>
    public int Killed { get; private set; }

    public async Task RunAsync(SoakServer server, bool follows, Random random, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "Lockstep.Crash.Worker.dll"),
            new Uri(server.Root, server.Path).AbsoluteUri,
            path,
            server.Dialect,
            .. follows ? (string[])["follow"] : [],
        ];
        var host = Environment.ProcessPath is { } own && Path.GetFileNameWithoutExtension(own) == "dotnet" ? own : "dotnet";
        using var worker = Process.Start(new ProcessStartInfo(host, arguments))!;
        // What it does with an answer (parse, stage, commit, ask on) takes it some milliseconds.
        var moment = TimeSpan.FromMilliseconds(random.Next(4) == 0 ? 0 : random.NextDouble() * 40);
        server.KillAt(
            random.Next(1, 7),
            () =>
                _ = Task.Run(
                    async () =>
                    {
                        await Task.Delay(moment, cancellationToken);
                        Kill(worker);
                    },
                    cancellationToken
                )
        );
        try
        {
            await worker.WaitForExitAsync(cancellationToken).WaitAsync(TimeSpan.FromSeconds(3), cancellationToken);
        }
        catch (TimeoutException)
        {
            // It follows a feed that asks for no more requests.
            Kill(worker);
        }

        await worker.WaitForExitAsync(cancellationToken);
        server.KillAt(0, static () => { });
        if (worker.ExitCode is not (0 or 1))
            Killed++;
    }

    private static void Kill(Process worker)
    {
        try
        {
            worker.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }
}
