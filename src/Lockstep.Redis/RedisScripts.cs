namespace Lockstep.Redis;

/// <summary>
/// What runs on the server, each as one step that nothing comes between. The keys of a store, all with its prefix:
/// <list type="bullet">
/// <item><c>store</c>: a hash with format, identity, version, marks and settings. Without it there is no store.</item>
/// <item><c>names</c>: the set of variables that have a value.</item>
/// <item><c>var:NAME</c>: a hash with <c>rev</c>, which counts the variable's changes, and per value its instant and
/// <c>tick wish group json</c>.</item>
/// <item><c>audit:NAME</c>: a stream of what was done.</item>
/// <item><c>queue:NAME</c>: the writers that wait to change the variable, by since when. The first goes first.</item>
/// <item><c>waiting</c>: each writer that waits, by the millisecond until which it counts: one that is gone holds up nobody.</item>
/// </list>
/// The last two are there only while someone waits. Instants are milliseconds since 1970; the clock is the server's, in microseconds.
/// </summary>
internal static class RedisScripts
{
    /// <summary>Creates the store unless it exists. Keys: store. Values: fields and their values.</summary>
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

    /// <summary>Lists the variables; false if there is no store of the format. Keys: store, names. Values: format.</summary>
    public const string List = """
        if redis.call('HGET', KEYS[1], 'format') ~= ARGV[1] then return false end
        return redis.call('SMEMBERS', KEYS[2])
        """;

    /// <summary>
    /// Commits edits if nothing has changed since they were decided, and no one has waited longer to change one of the variables. Keys:
    /// store, names, waiting, then of each variable its hash, its audit stream and its queue. Values: see <see cref="RedisCommit"/>.
    /// Answers <c>again</c> (decide again), <c>wait</c> with how many go first, <c>late</c>, or <c>ok</c> with the time. Whatever may
    /// refuse it comes before the first write.
    /// </summary>
    /// <remarks>
    /// A writer that is told to wait or to decide again stands in the queues from then on. If several variables are changed at once, no two
    /// writers wait for each other: all queues have the same order.
    /// </remarks>
    public const string Commit = """
        local store, names, waiting = KEYS[1], KEYS[2], KEYS[3]
        local identity, format, mark, marks, now, deadline, channel, writer, since, change, who, at, audits = unpack(ARGV, 1, 13)
        local count, p = #KEYS / 3 - 1, 13
        local function take() p = p + 1 return ARGV[p] end

        local time = redis.call('TIME')
        local clock = time[1] * 1000 + math.floor(time[2] / 1000)
        local function waitsUntil(other) return tonumber(redis.call('ZSCORE', waiting, other) or 0) end

        local function first(queue)
            local gone = 0
            while true do
                local other = redis.call('ZRANGE', queue, gone, gone)[1]
                if not other or other == writer or waitsUntil(other) > clock then return other, gone end
                gone = gone + 1
            end
        end

        local function stand(answer)
            local place = 0
            if waitsUntil(writer) < clock + 300 then
                redis.call('ZREMRANGEBYSCORE', waiting, '-inf', clock)
                redis.call('ZADD', waiting, clock + 500, writer)
                redis.call('PEXPIRE', waiting, 10000)
            end
            for i = 1, count do
                local queue = KEYS[3 * i + 3]
                if redis.call('ZADD', queue, 'NX', since, writer) == 1 then
                    local _, gone = first(queue)
                    if gone > 0 then redis.call('ZREMRANGEBYRANK', queue, 0, gone - 1) end
                    redis.call('PEXPIRE', queue, 10000)
                end
                place = math.max(place, redis.call('ZRANK', queue, writer))
            end
            return {answer, place}
        end

        local found = redis.call('HMGET', store, 'identity', 'format')
        if found[1] ~= identity or found[2] ~= format then return {'again'} end
        for i = 1, count do
            if (first(KEYS[3 * i + 3]) or writer) ~= writer then return stand('wait') end
        end
        for i = 1, count do
            if (redis.call('HGET', KEYS[3 * i + 1], 'rev') or '0') ~= take() then return stand('again') end
        end

        now = tonumber(now) or time[1] * 1000000 + time[2]
        if deadline ~= '' and now >= tonumber(deadline) then return {'late'} end

        for i = 1, count do
            local variable, audit, queue, name = KEYS[3 * i + 1], KEYS[3 * i + 2], KEYS[3 * i + 3], take()
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
            redis.call('ZREM', queue, writer)
        end
        redis.call('HSET', store, 'marks', string.sub(mark .. (redis.call('HGET', store, 'marks') or ''), 1, tonumber(marks)))
        redis.call('HINCRBY', store, 'version', 1)
        redis.call('ZREM', waiting, writer)
        return {'ok', time}
        """;
}
