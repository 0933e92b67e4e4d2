using System.Globalization;
using System.Text;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// The changes of a sharded database, whose rows come in another order each time, and which is deleted and created again, and purged. Or
/// one without shards, that has neither pending nor streams.
/// </summary>
internal sealed class CouchSoakServer(int seed, bool isPouch) : SoakServer(seed)
{
    private const int Shards = 3;
    private int _database = 1;
    private int _purges;

    /// <summary>Nothing in an answer tells the changes of a database that was created again from those of the old one.</summary>
    protected override bool IsCached => false;

    public override string Path => "db/_changes";

    public override string Dialect => "CouchDb";

    public override bool IsFollowed => true;

    public override IEnumerable<string> Expected()
    {
        base.Expected();
        return [.. Source.Live.Select(pair => Document(pair.Key, pair.Value))];
    }

    protected override void Befall()
    {
        if (isPouch)
            return;
        if (Random.Next(25) == 0)
        {
            _database++;
            Story.Enqueue("made again");
            Source.Forget();
            Source.Change(20);
        }
        else if (Random.Next(25) == 0 && Source.Live.Count > 3)
        {
            // A purge removes a document and everything that was known of it.
            var key = Source.Live.Keys.First();
            Source.Live.Remove(key);
            Source.Log.RemoveAll(change => change.Key == key);
            _purges++;
            Story.Enqueue($"purged {key}");
        }
    }

    protected override SoakAnswer Answer(SoakRequest request)
    {
        if (request.Path == "/db/")
        {
            return Json(
                isPouch
                    ? """{"db_name":"db"}"""
                    : $$"""{"db_name":"db","instance_start_time":"{{_database}}","purge_seq":"{{_purges}}-g1AAAA{{Random.Next()}}"}"""
            );
        }
        if (request["since"] is { } since && !isPouch && !since.Contains('-'))
        {
            return new SoakAnswer(
                """{"error":"bad_request","reason":"Malformed sequence supplied in 'since' parameter."}""",
                "",
                "400 Bad Request"
            );
        }
        var at = Parse(request["since"]);
        return request["feed"] == "continuous" && !isPouch
            ? Stream(at)
            : Page(at, int.Parse(request["limit"] ?? "25", CultureInfo.InvariantCulture));
    }

    private SoakAnswer Page(long[] at, int limit)
    {
        var size = Math.Min(limit, Random.Next(1, 15));
        var rows = Rows(at);
        var text = new StringBuilder("{\"results\":[\n");
        text.AppendJoin(",\r\n", rows.Take(size).Select(row => Render(row, at)));
        var pending = isPouch ? "" : $",\"pending\":{Math.Max(0, rows.Count - size)}";
        return Json($"{text}\n],\n\"last_seq\":{Sequence(at)}{pending}}}\n");
    }

    private SoakAnswer Stream(long[] at)
    {
        var left = Random.Next(1, 6);
        var database = _database;
        return new SoakAnswer("", "Content-Type: application/json\r\n")
        {
            More = () =>
            {
                if (!IsQuiet)
                    Source.Change(2);
                // A deleted database sends heartbeats for a while, and then breaks the connection.
                if (database != _database)
                    return left-- > 0 ? "\n" : null;
                if (left-- <= 0)
                {
                    return IsQuiet ? ""
                        : $"{{\"last_seq\":{Sequence(at)},\"pending\":0}}\n" is var end && Random.Next(2) == 0 ? end
                        : null;
                }
                return string.Concat(Rows(at).Select(row => Render(row, at) + "\n")) + "\n";
            },
        };
    }

    /// <summary>The newest change of each document after a position, in an order that only shards have.</summary>
    private List<SoakChange> Rows(long[] at)
    {
        var newest = Source.Log.GroupBy(change => change.Key).Select(changes => changes.Last());
        var after = newest.Where(change => change.Version > at[Shard(change.Key)]);
        if (isPouch)
            return [.. after.OrderBy(change => change.Version)];
        var shards = after
            .GroupBy(change => Shard(change.Key))
            .Select(shard => new Queue<SoakChange>(shard.OrderBy(c => c.Version)))
            .ToList();
        List<SoakChange> rows = [];
        while (shards.Count > 0)
        {
            var shard = shards[Random.Next(shards.Count)];
            rows.Add(shard.Dequeue());
            shards.RemoveAll(queue => queue.Count == 0);
        }

        return rows;
    }

    private string Render(SoakChange row, long[] at)
    {
        at[Shard(row.Key)] = row.Version;
        var sequence =
            isPouch ? row.Version.ToString(CultureInfo.InvariantCulture)
            : Random.Next(4) == 0 ? "null"
            : Sequence(at);
        var document = row.IsGone
            ? $"{{\"_id\":\"{row.Key}\",\"_rev\":\"{row.Version}-x\",\"_deleted\":true}}"
            : Document(row.Key, Source.Live[row.Key]);
        var head = $"\"seq\":{sequence},\"id\":\"{row.Key}\",\"changes\":[{{\"rev\":\"{row.Version}-x\"}}]";
        return $"{{{head}{(row.IsGone ? ",\"deleted\":true" : "")},\"doc\":{document}}}";
    }

    private static string Document(string key, SoakRecord record) => SoakSource.Json(key, record, "_id");

    private int Shard(string key) => isPouch ? 0 : key[^1] % Shards;

    private string Sequence(long[] at) => isPouch ? $"{at[0]}" : $"\"{at.Sum()}-{_database}.{string.Join('.', at)}\"";

    private long[] Parse(string? since)
    {
        if (since is null)
            return new long[Shards];
        if (isPouch)
            return [long.Parse(since, CultureInfo.InvariantCulture), 0, 0];
        long[] parts = [.. since.Trim('"').Split('-')[1].Split('.').Select(part => long.Parse(part, CultureInfo.InvariantCulture))];
        // A database that was created again does not know the position, and starts at the beginning without saying so.
        return parts[0] == _database ? parts[1..] : new long[Shards];
    }

    private static SoakAnswer Json(string body) => new(body, "Content-Type: application/json\r\n");
}
