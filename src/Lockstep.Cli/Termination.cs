using System.Runtime.InteropServices;

namespace Lockstep.Cli;

/// <summary>
/// Ctrl+C and SIGTERM cancel a command, which may then take a while to end. System.CommandLine can do the same, but ends a server that is
/// stopped just after its start with the exit code of the signal: to systemd, a service that failed.
/// </summary>
internal sealed class Termination : IDisposable
{
    /// <summary>How long a server may take to close its connections.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<int> _forced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _signals;

    public Termination() =>
        _signals = [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Cancel(context, 130)),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Cancel(context, 143)),
        ];

    /// <summary>Cancelled at the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>The exit code of a command, or that of the signal if the command does not end in time.</summary>
    public async Task<int> WaitAsync(Task<int> command)
    {
        var first = await Task.WhenAny(command, _forced.Task).ConfigureAwait(false);
        return await first.ConfigureAwait(false);
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _stop.Dispose();
    }

    private void Cancel(PosixSignalContext context, int exitCode)
    {
        context.Cancel = true;
        _ = ForceAsync(exitCode);
        _stop.Cancel();
    }

    private async Task ForceAsync(int exitCode)
    {
        await Task.Delay(Patience).ConfigureAwait(false);
        _forced.TrySetResult(exitCode);
    }
}
