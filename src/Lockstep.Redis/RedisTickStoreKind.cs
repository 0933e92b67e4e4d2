using System.Text.RegularExpressions;
using Lockstep.Ticks;

namespace Lockstep.Redis;

/// <summary>
/// Stores in Redis, named by a URI: <c>redis://user:password@host:6379/0?prefix=flags</c>, or <c>rediss://</c> for TLS. With
/// <c>sentinel=NAME</c> the hosts, apart by commas, are Sentinels. <c>waitReplicas=1</c> and <c>fsync=always</c> are for changes that must
/// survive the loss of the primary and of its power.
/// </summary>
public sealed partial class RedisTickStoreKind : TickStoreKind
{
    /// <inheritdoc/>
    public override bool Owns(string name) => RedisStoreAddress.IsUri(name) || DriverOption().IsMatch(name);

    /// <inheritdoc/>
    public override string Describe(string name)
    {
        try
        {
            return RedisStoreAddress.Parse(name).Description;
        }
        catch (ArgumentException)
        {
            return "redis";
        }
    }

    /// <inheritdoc/>
    public override Task<ITickStore> OpenAsync(string name, TickSettings? create, CancellationToken cancellationToken) =>
        Task.FromResult<ITickStore>(new RedisTickStore(name, create));

    /// <summary>
    /// In the driver's own notation: not accepted, but a password in it must not become part of a file's name either (I9).
    /// </summary>
    [GeneratedRegex(@",\s*(user|password|ssl|abortConnect|name)\s*=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex DriverOption();
}
