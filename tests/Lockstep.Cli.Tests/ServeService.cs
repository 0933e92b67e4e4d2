using System.Diagnostics;
using System.Text;

namespace Lockstep.Cli.Tests;

/// <summary>lockstep serve as a service with a configuration; ends with the test.</summary>
internal sealed class ServeService : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private ServeService(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, e) =>
        {
            lock (_errors)
                _errors.AppendLine(e.Data);
        };
        process.BeginErrorReadLine();
    }

    public Uri Uri { get; private set; } = new("http://localhost/");

    public string Error
    {
        get
        {
            lock (_errors)
                return _errors.ToString();
        }
    }

    public static ServeService Begin(string folder, Dictionary<string, string> environment, params string[] arguments) =>
        new(CliProcess.Start(folder, environment, ["serve", .. arguments]));

    public static async Task<ServeService> StartAsync(string folder, Dictionary<string, string> environment, params string[] arguments)
    {
        var service = Begin(folder, environment, arguments);
        const string Greeting = "Listening on ";
        var first = await service._process.StandardOutput.ReadLineAsync(Cancel);
        Assert.True(first?.StartsWith(Greeting, StringComparison.Ordinal) == true, service.Error);
        service.Uri = new Uri(first[Greeting.Length..]);
        return service;
    }

    public void Signal(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals.");
        using var kill = Process.Start("sh", ["-c", $"kill -{name} {_process.Id}"]);
        kill.WaitForExit();
    }

    public Task<int> TerminateAsync()
    {
        Signal("TERM");
        return EndAsync();
    }

    /// <summary>Waits for its end.</summary>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(Cancel);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }
}
