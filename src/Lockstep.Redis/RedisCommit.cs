using System.Globalization;
using Lockstep.Ticks;
using StackExchange.Redis;

namespace Lockstep.Redis;

/// <summary>A change in the form in which it is sent: keys and values of <see cref="RedisScripts.Commit"/>.</summary>
/// <param name="Keys">The keys.</param>
/// <param name="Values">The values.</param>
internal sealed record RedisCommit(RedisKey[] Keys, RedisValue[] Values)
{
    /// <summary>The number of audit lines kept per variable, give or take a few: Redis has them in memory.</summary>
    private const int MostAudits = 10_000;

    /// <summary>Encodes edits.</summary>
    /// <param name="keys">The store's keys.</param>
    /// <param name="variables">The variables.</param>
    /// <param name="state">The state from which the edits were decided.</param>
    /// <param name="edits">What to do with each variable.</param>
    /// <param name="who">Who makes the change.</param>
    /// <param name="writer">Who takes turns with other writers, in this attempt and those before it.</param>
    /// <param name="now">The time; null for the server's.</param>
    public static RedisCommit Of(
        RedisKeys keys,
        IReadOnlyList<string> variables,
        RedisState state,
        IReadOnlyList<TickEdit> edits,
        string who,
        RedisWriter writer,
        DateTimeOffset? now
    )
    {
        List<RedisKey> names = [keys.Store, keys.Names, keys.Waiting];
        foreach (var variable in variables)
        {
            names.Add(keys.Variable(variable));
            names.Add(keys.Audit(variable));
            names.Add(keys.Queue(variable));
        }

        List<RedisValue> values =
        [
            state.Readings[0].Stamp.Identity,
            RedisSchedules.Format,
            TickStoreStamp.NewMark(),
            TickStoreStamp.MostMarks * TickStoreStamp.MarkLength,
            now is { } time ? Microseconds(time) : "",
            edits.Min(edit => edit.Deadline) is { } deadline ? Microseconds(deadline) : "",
            (string?)keys.Channel,
            writer.Id,
            Microseconds(writer.Since),
            $"{Guid.NewGuid()}",
            who,
            RedisSchedules.Milliseconds(state.Readings[0].StoreTime),
            MostAudits,
            .. state.Revisions.Select(revision => (RedisValue)revision),
        ];
        foreach (var (variable, edit) in variables.Zip(edits))
            Add(values, variable, edit);
        return new RedisCommit([.. names], [.. values]);
    }

    private static void Add(List<RedisValue> values, string variable, TickEdit edit)
    {
        values.Add(variable);
        RedisValue[] removals = [.. edit.Removals.Select(instant => (RedisValue)RedisSchedules.Milliseconds(instant))];
        values.Add(removals.Length);
        values.AddRange(removals);
        TickTuple[] writes = [.. edit.Writes];
        values.Add(writes.Length);
        foreach (var tuple in writes)
        {
            values.Add(RedisSchedules.Milliseconds(tuple.ActiveAt));
            values.Add(RedisSchedules.Text(tuple));
        }

        values.Add(edit.Operations.Count);
        foreach (var operation in edit.Operations)
        {
            values.Add($"{operation.Action}");
            values.Add(RedisSchedules.Milliseconds(operation.Tuple.ActiveAt));
            values.Add(RedisSchedules.Milliseconds(operation.Tuple.Tick));
            values.Add(RedisSchedules.Milliseconds(operation.MovedFrom));
            values.Add(operation.Tuple.Json);
        }
    }

    private static string Microseconds(DateTimeOffset instant) =>
        ((instant - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond).ToString(CultureInfo.InvariantCulture);
}
