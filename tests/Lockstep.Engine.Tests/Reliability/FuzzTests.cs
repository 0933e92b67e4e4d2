using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Engine.Tests.Sync;

namespace Lockstep.Engine.Tests.Reliability;

/// <summary>Mutated bytes through the whole client, in quarantine mode: no crash, no hang, and a readable table.</summary>
public sealed class FuzzTests : SyncTest
{
    private static readonly byte[] Interesting = [.. "{}[]\",:\\\n\r \t0-.eEtn"u8, 0, 0x7F, 0x80, 0xC3, 0xED, 0xEF, 0xF0, 0xFF];

    [Fact]
    [Trait("Invariant", "I7")]
    public async Task No_bytes_break_the_client()
    {
        const int RoundBytes = 50_000;
        var random = new Random(LongForm.Seed(77));
        long total = 0;
        byte[] body = [];
        await using var server = new RawServer(exchange => exchange.BodyAsync(body));
        for (var round = 0; total < LongForm.Of(1_000_000L, 10_000_000L); round++, total += RoundBytes)
        {
            body = Mutate(Feed(round % 2 == 0, random, RoundBytes), random);
            var path = Folder($"fuzz{round % 4}.db");
            var options = new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri },
                Store = new FileTableStore(path),
                Since = "0",
                MalformedRecord = MalformedRecordPolicy.Quarantine,
                MaximumRecordSize = 4000,
                WantsChanges = round % 3 == 0,
                EveryVersion = round % 5 == 0,
            };
            try
            {
                var run = await SyncRun.ToEndAsync(options).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
                Assert.True(run.Result.Received + run.Result.Malformed > 0 || run.Result.Bytes < 100);
            }
            catch (FeedException)
            {
                // Truncated: the last record was open.
            }

            if (!Table.IsTable(path))
                continue;
            var info = new Table(path).GetInfo();
            Assert.Equal(info.Rows, SyncRun.Read(path).Count);
            if (info.Rows > 0)
                Assert.Equal(info.Rows, new Table(path).Count(new RecordQuery { Filter = "1" }));
        }
    }

    private static byte[] Feed(bool transaction, Random random, int length)
    {
        var text = new StringBuilder();
        for (var i = 1; text.Length < length; i++)
        {
            var key = random.Next(200);
            text.Append(
                transaction ? Row(key, i, random.Next(5) == 0)
                : random.Next(5) == 0 ? Gone(key, i)
                : Record(key, i, ",\"a\":{\"b\":[1,\"é😀\\u00e9\",null]}")
            );
            if (random.Next(20) == 0)
                text.Append(random.Next(2) == 0 ? "\n" : "{\"heart\":true}");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        var mutated = new List<byte>(bytes);
        for (var i = random.Next(1, 200); i > 0; i--)
        {
            int at = random.Next(mutated.Count),
                length = Math.Min(random.Next(1, 30), mutated.Count - at);
            switch (random.Next(5))
            {
                case 0:
                    mutated[at] = (byte)random.Next(256);
                    break;
                case 1:
                    mutated[at] = Interesting[random.Next(Interesting.Length)];
                    break;
                case 2:
                    mutated.RemoveRange(at, length);
                    break;
                case 3:
                    mutated.InsertRange(at, mutated.GetRange(random.Next(mutated.Count - length + 1), length));
                    break;
                default:
                    mutated.InsertRange(at, Enumerable.Repeat(Interesting[random.Next(Interesting.Length)], length));
                    break;
            }
        }

        return [.. mutated];
    }
}
