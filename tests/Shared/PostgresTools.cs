using System.Diagnostics;

namespace Lockstep.Testing;

/// <summary>PostgreSQL's programs on this machine, and the user to run them as.</summary>
internal sealed class PostgresTools
{
    private static readonly string[] Needed = ["initdb", "pg_ctl", "postgres"];

    private readonly string _bin;

    /// <summary>The user to become; null if the tests themselves do not run as root.</summary>
    private readonly string? _user;

    private PostgresTools(string bin, string? user)
    {
        _bin = bin;
        _user = user;
    }

    /// <summary>Finds the programs, or ends the test: as skipped, or as failed if LOCKSTEP_REQUIRE_POSTGRES is 1.</summary>
    /// <param name="version">Which version; null for the chosen one, or the machine's own.</param>
    public static PostgresTools FindOrSkip(int? version = null)
    {
        var bin = (version is { } asked ? [PostgresVersions.FolderOf(asked)] : Candidates()).FirstOrDefault(folder =>
            Array.TrueForAll(Needed, name => File.Exists(Path.Combine(folder, Executable(name))))
        );
        if (bin is null)
            return Missing("no PostgreSQL server programs were found; install them or set LOCKSTEP_POSTGRES_BIN to their folder");
        if (!Environment.IsPrivilegedProcess || OperatingSystem.IsWindows())
            return new PostgresTools(bin, null);

        // In /etc/passwd: name:password:uid:gid:...
        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet(StringComparer.Ordinal);
        string[] preferred = ["postgres", "nobody"];
        var user = preferred.FirstOrDefault(users.Contains);
        return user is null || !File.Exists("/usr/bin/setpriv")
            ? Missing("initdb refuses to run as root, and there is no setpriv or no user postgres or nobody to drop to")
            : new PostgresTools(bin, user);
    }

    /// <summary>Gives a folder to the user that the server runs as.</summary>
    public async Task OwnAsync(string folder, CancellationToken cancellationToken)
    {
        if (_user is not null)
            await RunAsync(new ProcessStartInfo("chown", [_user, folder]), cancellationToken);
    }

    /// <summary>Runs a program to its end and returns what it printed; a failure throws an exception with what it said.</summary>
    public Task<string> RunAsync(string program, string[] arguments, CancellationToken cancellationToken) =>
        RunAsync(StartOf(PathOf(program), arguments), cancellationToken);

    /// <summary>Where a program is: with the server, or, for a client, wherever the machine has one.</summary>
    private string PathOf(string program)
    {
        var path = Path.Combine(_bin, Executable(program));
        return File.Exists(path)
            ? path
            : Installed().Select(folder => Path.Combine(folder, Executable(program))).FirstOrDefault(File.Exists) ?? path;
    }

    /// <summary>How to start a program as the user that the server runs as.</summary>
    public ProcessStartInfo StartOf(string path, string[] arguments) =>
        _user is null
            ? new ProcessStartInfo(path, arguments)
            : new ProcessStartInfo("/usr/bin/setpriv", ["--reuid", _user, "--regid", _user, "--init-groups", path, .. arguments]);

    private static async Task<string> RunAsync(ProcessStartInfo start, CancellationToken cancellationToken)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.WorkingDirectory = Path.GetPathRoot(Path.GetTempPath())!;
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode == 0)
                return await output;
            throw new InvalidOperationException(
                $"{start.FileName} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}: {await errors}{await output}"
            );
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    private static PostgresTools Missing(string reason)
    {
        if (Environment.GetEnvironmentVariable("LOCKSTEP_REQUIRE_POSTGRES") == "1")
            Assert.Fail("LOCKSTEP_REQUIRE_POSTGRES is 1, but " + reason);
        Assert.Skip(reason);
        return null!;
    }

    private static IEnumerable<string> Candidates()
    {
        // An explicit version or folder is the only one considered, so that a test of a certain version never runs on another.
        if (PostgresVersions.Chosen is { } version)
            return [PostgresVersions.FolderOf(version)];
        if (Environment.GetEnvironmentVariable("LOCKSTEP_POSTGRES_BIN") is { Length: > 0 } given)
            return [given];
        return Installed();
    }

    private static IEnumerable<string> Installed()
    {
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] roots =
        [
            "/usr/lib/postgresql",
            "/usr/local/opt",
            "/opt/homebrew/opt",
            Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"),
        ];
        var installed = roots
            .Where(Directory.Exists)
            .SelectMany(root => Directory.EnumerateDirectories(root))
            .OrderByDescending(Version)
            .Select(folder => Path.Combine(folder, "bin"));
        return [.. onPath, .. installed];

        // The folders are named 15 or postgresql@15.
        static int Version(string folder) => int.TryParse(Path.GetFileName(folder).Split('@')[^1], out var version) ? version : 0;
    }

    private static string Executable(string program) => OperatingSystem.IsWindows() ? program + ".exe" : program;
}
