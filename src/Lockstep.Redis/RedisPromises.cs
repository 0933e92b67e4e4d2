using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>What may be demanded of a server beyond having a change in memory.</summary>
internal static class RedisPromises
{
    /// <summary>Requires that the server answers only after its disk has a write.</summary>
    /// <exception cref="RedisCommandException">It does not, or does not say.</exception>
    public static async Task RequireFsyncAsync(IDatabase database)
    {
        var settings = (
            await database.ExecuteAsync("CONFIG", ["GET", "append*"], CommandFlags.DemandMaster).ConfigureAwait(false)
        ).ToDictionary(StringComparer.OrdinalIgnoreCase);
        if ((string?)settings.GetValueOrDefault("appendonly") != "yes" || (string?)settings.GetValueOrDefault("appendfsync") != "always")
        {
            throw new RedisCommandException(
                "the URI asks for fsync=always, and the server does not write each change to its disk: it needs appendonly "
                    + "yes and appendfsync always"
            );
        }
    }

    /// <summary>Requires that everything <see cref="CommitAsync"/> sends reaches one server.</summary>
    /// <exception cref="RedisCommandException">It is a cluster.</exception>
    public static void RequireOneServer(IDatabase database)
    {
        if (Array.Exists(database.Multiplexer.GetServers(), server => server.ServerType == ServerType.Cluster))
            throw new RedisCommandException("waitReplicas is for one primary with its replicas, not for a cluster");
    }

    /// <summary>Commits and waits until this many replicas have the change.</summary>
    /// <exception cref="TimeoutException">Too few confirmed it in time.</exception>
    public static async Task<RedisResult> CommitAsync(IDatabase database, RedisCommit commit, int replicas, int waitMs)
    {
        // WAIT applies to what its own connection wrote. If the connection was replaced in between, the answer would mean nothing: its
        // number shows that.
        var batch = database.CreateBatch();
        var before = batch.ExecuteAsync("CLIENT", ["ID"], CommandFlags.DemandMaster);
        var commits = batch.ScriptEvaluateAsync(
            RedisScripts.Commit,
            commit.Keys,
            commit.Values,
            CommandFlags.DemandMaster | CommandFlags.NoScriptCache
        );
        var waits = batch.ExecuteAsync("WAIT", [replicas, waitMs], CommandFlags.DemandMaster);
        var after = batch.ExecuteAsync("CLIENT", ["ID"], CommandFlags.DemandMaster);
        batch.Execute();
        var answer = await commits.ConfigureAwait(false);
        if ((string?)answer[0] != "ok")
        {
            // Nothing was written, so there is nothing to wait for.
            _ = Task.WhenAll(before, waits, after).ContinueWith(static done => done.Exception, TaskScheduler.Default);
            return answer;
        }

        long acknowledged,
            connection;
        try
        {
            acknowledged = (long)await waits.ConfigureAwait(false);
            connection = (long)await before.ConfigureAwait(false) - (long)await after.ConfigureAwait(false);
        }
        catch (RedisServerException e)
        {
            // WAIT was refused, not the change.
            throw new TimeoutException(e.Message, e);
        }

        if (connection != 0 || acknowledged < replicas)
            throw new TimeoutException($"only {(connection == 0 ? acknowledged : 0)} of {replicas} replicas have the change");
        return answer;
    }
}
