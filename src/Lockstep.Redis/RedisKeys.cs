using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>The names of a store's keys; see <see cref="RedisScripts"/>.</summary>
internal readonly record struct RedisKeys(string Prefix)
{
    public RedisKey Store => Prefix + "store";

    public RedisKey Names => Prefix + "names";

    public RedisKey Waiting => Prefix + "waiting";

    /// <summary>The channel of changes, by the variable's name.</summary>
    public RedisChannel Channel => RedisChannel.Literal(Prefix + "changed");

    public RedisKey Variable(string name) => Prefix + "var:" + name;

    public RedisKey Audit(string name) => Prefix + "audit:" + name;

    public RedisKey Queue(string name) => Prefix + "queue:" + name;
}
