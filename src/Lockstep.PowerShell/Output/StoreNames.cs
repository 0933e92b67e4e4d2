using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep;

/// <summary>What stores of variables may be called.</summary>
internal static class StoreNames
{
    public static TickStoreNames All { get; } = new(new PostgresTickStoreKind(), new RedisTickStoreKind());
}
