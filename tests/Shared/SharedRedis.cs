namespace Lockstep.Testing;

/// <summary>A fixture: one <see cref="RedisServer"/>. Prefixes separate tests.</summary>
public sealed class SharedRedis() : SharedServer<RedisServer>(static token => RedisServer.StartAsync(token));
