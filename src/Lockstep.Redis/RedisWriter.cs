namespace Lockstep.Redis;

/// <summary>Who waits for the turn to make a change. The one that has waited longest goes first.</summary>
/// <param name="Id">Its identity; never used twice.</param>
/// <param name="Since">When it began, by the server's clock.</param>
internal sealed record RedisWriter(string Id, DateTimeOffset Since)
{
    /// <summary>A new one.</summary>
    public static RedisWriter Begin(DateTimeOffset now) => new(Guid.NewGuid().ToString("N"), now);
}
