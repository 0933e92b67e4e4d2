using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Lockstep.Ticks.Worker;

namespace Lockstep.Ticks.Tests;

/// <summary>A process that follows variables on a skewed clock and changes them when told.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentDictionary<int, TaskCompletionSource<Reply>> _waiting = new();
    private readonly Lock _writing = new();
    private readonly TaskCompletionSource<Report> _report = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;
    private int _commands;

    private WorkerProcess(Process process, TimeSpan skew)
    {
        _process = process;
        Skew = skew;
        _waiting[0] = new TaskCompletionSource<Reply>(TaskCreationOptions.RunContinuationsAsynchronously);
        Ready = _waiting[0].Task;
        _reading = ReadAsync();
    }

    public TimeSpan Skew { get; }

    /// <summary>Completes when it has opened all its variables.</summary>
    public Task Ready { get; }

    public static WorkerProcess Start(string kind, string connection, TimeSpan skew, IEnumerable<string> variables)
    {
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] arguments =
        [
            typeof(Command).Assembly.Location,
            kind,
            connection,
            skew.TotalMilliseconds.ToString(CultureInfo.InvariantCulture),
            .. variables,
        ];
        return new WorkerProcess(
            Process.Start(new ProcessStartInfo(host, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!,
            skew
        );
    }

    public Task<Reply> TellAsync(Command command, CancellationToken cancellationToken)
    {
        command = command with { Id = Interlocked.Increment(ref _commands) };
        var reply = _waiting[command.Id] = new TaskCompletionSource<Reply>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_writing)
        {
            _process.StandardInput.WriteLine(JsonSerializer.Serialize(command));
            _process.StandardInput.Flush();
        }

        return reply.Task.WaitAsync(cancellationToken);
    }

    public Task<Report> StopAsync(CancellationToken cancellationToken)
    {
        _process.StandardInput.Close();
        return _report.Task.WaitAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _reading;
        _process.Dispose();
    }

    private async Task ReadAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            var reply = JsonSerializer.Deserialize<Reply>(line)!;
            if (reply.Report is { } report)
                _report.TrySetResult(report);
            else if (_waiting.TryRemove(reply.Id, out var waiting))
                waiting.TrySetResult(reply);
        }

        var ended = new InvalidOperationException("The worker ended; its error output says why.");
        foreach (var waiting in _waiting.Values)
            waiting.TrySetException(ended);
        _report.TrySetException(ended);
    }
}
