using System.CommandLine;
using System.CommandLine.Parsing;

namespace Lockstep.Cli.Commands;

/// <summary>
/// Where the options of <c>lockstep serve</c> are in the file of <c>--config</c>. Beside the file only the certificate and the log may be
/// given, and they take precedence over it; another option is refused, because it would have no effect.
/// </summary>
internal static class ConfigPlaces
{
    public const string Config = "--config";

    /// <summary>The command's own options that may be given beside the file; those of the log belong to every command.</summary>
    public static readonly IReadOnlySet<string> Besides = new HashSet<string>(StringComparer.Ordinal)
    {
        Config,
        "--certificate",
        "--certificate-key",
    };

    /// <summary>The members that take the place of each other option; <c>[]</c> stands for each element.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Of = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        ["--postgres"] = ["databases[].connection", "databases[].connectionVariable"],
        ["--table"] = ["databases[].tables", "files[].table"],
        ["--path"] = ["files[].path"],
        ["--dialect"] = ["files[].dialect"],
        ["--schema"] = ["databases[].tables"],
        ["--key-property"] = ["databases[].feeds[].key"],
        ["--poll-interval-sec"] = ["databases[].pollIntervalSeconds"],
        ["--no-listen"] = ["databases[].listen"],
        ["--mode"] = ["databases[].mode"],
        ["--log-path"] = ["databases[].logPath"],
        ["--publication"] = ["databases[].publication"],
        ["--maximum-slot-lag"] = ["databases[].maximumSlotLag"],
        ["--maximum-record-size"] = ["databases[].maximumRecordSize", "files[].maximumRecordSize"],
        ["--port"] = ["listen.port"],
        ["--listen-address"] = ["listen.address"],
        ["--heartbeat-sec"] = ["listen.heartbeatSeconds"],
        ["--instance-name"] = ["listen.instanceName"],
        ["--no-status-page"] = ["listen.statusPage"],
        ["--compress"] = ["listen.compress"],
        ["--share-updates"] = ["listen.shareUpdates"],
        ["--connection-limit"] = ["listen.connectionLimit"],
        ["--connection-limit-per-address"] = ["listen.connectionLimitPerAddress"],
        ["--allowed-host"] = ["listen.allowedHosts"],
        ["--allowed-origin"] = ["listen.allowedOrigins"],
        ["--user"] = ["credentials[].user"],
        ["--password-file"] = ["credentials[].passwordFile"],
        ["--token-file"] = ["credentials[].tokenFile"],
    };

    /// <exception cref="ArgumentException">An option is given that belongs in the file.</exception>
    public static void Check(ParseResult result)
    {
        var given = result.CommandResult.Command.Options.Where(option => result.GetResult(option) is { Implicit: false });
        var misplaced = given.FirstOrDefault(option => !Besides.Contains(option.Name));
        if (misplaced is not null)
        {
            var place = Of.TryGetValue(misplaced.Name, out var places) ? $": set {string.Join(" or ", places)} there" : "";
            throw new ArgumentException($"{misplaced.Name} has no effect beside {Config}, which has it in its file{place}.");
        }
    }
}
