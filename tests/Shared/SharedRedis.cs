namespace Lockstep.Testing;

/// <summary>A fixture: one <see cref="RedisServer"/>. Tests keep apart by their prefixes.</summary>
public sealed class SharedRedis() : SharedServer<RedisServer>(static token => RedisServer.StartAsync(token));
