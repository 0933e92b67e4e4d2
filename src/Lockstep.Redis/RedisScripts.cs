namespace Lockstep.Redis;

/// <summary>
/// What runs on the server, each as one step that nothing comes between. The keys of a store, all with its prefix:
/// <list type="bullet">
/// <item><c>store</c>: a hash with identity, version, marks and settings. Without it there is no store.</item>
/// <item><c>names</c>: the set of variables that have a value.</item>
/// <item><c>turn</c>: who goes first for a moment, having come too late several times.</item>
/// <item><c>var:NAME</c>: a hash with <c>rev</c>, which counts the variable's changes, and per value its instant and
/// <c>tick wish group json</c>.</item>
/// <item><c>audit:NAME</c>: a stream of what was done.</item>
/// </list>
/// Instants are milliseconds since 1970; the clock is the server's, in microseconds.
/// </summary>
internal static class RedisScripts
{
    /// <summary>Makes the store unless it is there. Keys: store. Values: fields and their values.</summary>
    public const string Create = """
        if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], unpack(ARGV)) end
        return 1
        """;

    /// <summary>Reads the store and variables. Keys: store, then the variables.</summary>
    public const string Read = """
        local variables = {}
        for i = 2, #KEYS do variables[i - 1] = redis.call('HGETALL', KEYS[i]) end
        return {redis.call('HGETALL', KEYS[1]), redis.call('TIME'), variables}
        """;

    /// <summary>Lists the variables. Keys: store, names.</summary>
    public const string List = """
        if redis.call('EXISTS', KEYS[1]) == 0 then return false end
        return redis.call('SMEMBERS', KEYS[2])
        """;

    /// <summary>
    /// Commits edits if nothing has changed since they were decided. Keys: store, names, turn, then of each variable its hash and its audit
    /// stream. Values: see <see cref="RedisCommit"/>. Answers <c>again</c> (decide again), <c>wait</c> (another goes first), <c>late</c>, or
    /// <c>ok</c> with the time. Whatever may refuse it comes before the first write.
    /// </summary>
    public const string Commit = """
        local store, names, turn = KEYS[1], KEYS[2], KEYS[3]
        local identity, mark, marks, now, deadline, channel, writer, claims, change, who, at, audits =
            ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
        local count, p = (#KEYS - 3) / 2, 12
        local function take() p = p + 1 return ARGV[p] end

        if redis.call('HGET', store, 'identity') ~= identity then return {'again'} end
        local first = redis.call('GET', turn)
        if first and first ~= writer then return {'wait'} end
        for i = 1, count do
            if (redis.call('HGET', KEYS[2 + 2 * i], 'rev') or '0') ~= take() then
                if claims == '1' then redis.call('SET', turn, writer, 'NX', 'PX', 500) end
                return {'again'}
            end
        end

        local time = redis.call('TIME')
        now = tonumber(now) or time[1] * 1000000 + time[2]
        if deadline ~= '' and now >= tonumber(deadline) then return {'late'} end

        for i = 1, count do
            local variable, audit, name = KEYS[2 + 2 * i], KEYS[3 + 2 * i], take()
            for _ = 1, tonumber(take()) do redis.call('HDEL', variable, take()) end
            for _ = 1, tonumber(take()) do
                local instant = take()
                redis.call('HSET', variable, instant, take())
            end
            local steps = tonumber(take())
            for _ = 1, steps do
                local action, instant, tick, from, json = take(), take(), take(), take(), take()
                redis.call('XADD', audit, 'MAXLEN', '~', audits, '*', 'change', change, 'at', at, 'who', who,
                    'action', action, 'active_at', instant, 'tick_ms', tick, 'moved_from', from, 'value', json)
            end
            if steps > 0 then
                redis.call('HINCRBY', variable, 'rev', 1)
                redis.call(redis.call('HLEN', variable) > 1 and 'SADD' or 'SREM', names, name)
                redis.pcall('PUBLISH', channel, name)
            end
        end
        redis.call('HSET', store, 'marks', string.sub(mark .. (redis.call('HGET', store, 'marks') or ''), 1, tonumber(marks)))
        redis.call('HINCRBY', store, 'version', 1)
        if first then redis.call('DEL', turn) end
        return {'ok', time}
        """;
}
