using Lockstep.Postgres.Ticks;
using Lockstep.Redis;
using Lockstep.Ticks;

namespace Lockstep.Ticks.Tests;

/// <summary>What names a store, and how the name is shown.</summary>
public sealed class TickStoreNamesTests
{
    private static readonly TickStoreNames Names = new(new PostgresTickStoreKind(), new RedisTickStoreKind());

    [Theory]
    [InlineData("redis://h", "redis://h:6379/0?prefix=lockstep")]
    [InlineData("REDISS://user:s3cret@h:7000/3?prefix=a.b", "rediss://h:7000/3?prefix=a.b")]
    [InlineData("redis://:s3cret@h/", "redis://h:6379/0?prefix=lockstep")]
    [InlineData("redis://u:s3cret%40%2F@[::1]:1/2", "redis://[::1]:1/2?prefix=lockstep")]
    [InlineData("redis://h1,h2:26380?sentinel=flags", "redis://h1:26379,h2:26380/0?prefix=lockstep&sentinel=flags")]
    [InlineData("redis://u:s3@cret@h", "redis")]
    [InlineData("redis://", "redis")]
    [InlineData("redis://h:notaport", "redis")]
    [InlineData("redis://h/notanumber", "redis")]
    [InlineData("redis://h?wait=1", "redis")]
    [InlineData("redis://h?prefix=a{b", "redis")]
    [InlineData("redis://h?prefix=a&prefix=b", "redis")]
    [InlineData("redis://h?waitReplicas=-1", "redis")]
    [InlineData("redis://h?waitMs=100000000", "redis")]
    [InlineData("redis://h?fsync=everysec", "redis")]
    [InlineData("h:6379,password=s3cret", "redis")]
    [InlineData("postgres://u:s3cret@h/d", "postgres://h:5432/d")]
    [InlineData("Host=h;Password=s3cret", "postgres://h:5432/")]
    public async Task A_store_is_described_without_its_secrets(string name, string description)
    {
        Assert.False(Names.IsFile(name));
        Assert.Equal(description, Names.Describe(name));
        if (description is "redis")
        {
            var error = await Assert.ThrowsAsync<ArgumentException>(() =>
                Names.OpenAsync(name, null, TestContext.Current.CancellationToken)
            );
            Assert.DoesNotContain("s3", error.Message, StringComparison.Ordinal);
        }
        else
        {
            await (await Names.OpenAsync(name, null, TestContext.Current.CancellationToken)).DisposeAsync();
        }
    }

    [Theory]
    [InlineData("flags.db")]
    [InlineData("./memory")]
    [InlineData("redis.db")]
    public void Anything_else_is_a_file(string name)
    {
        Assert.True(Names.IsFile(name));
        Assert.Equal(Path.GetFullPath(name), Names.Describe(name));
    }
}
