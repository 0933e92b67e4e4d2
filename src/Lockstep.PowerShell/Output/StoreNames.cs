using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep;

/// <summary>The kinds of names that stores of variables have.</summary>
internal static class StoreNames
{
    public static TickStoreNames All { get; } = new(new PostgresTickStoreKind(), new RedisTickStoreKind());
}
