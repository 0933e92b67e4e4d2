using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>When a sync commits what a body that has not ended has brought.</summary>
public sealed class CommitTimeTests : SyncTest
{
    private const string KnownLength = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";

    [Fact(Timeout = Pace.Limit)]
    public async Task Pauses_within_a_body_of_known_length_do_not_commit_but_3_s_do_and_then_each_second()
    {
        string[] pieces = [Records(1, 2000), Records(2001, 4000), Records(4001, 6000), Records(6001, 8000)];

        var commits = await RunAsync(
            watches: false,
            async body =>
            {
                await body.SendAsync($"{KnownLength}{pieces.Sum(piece => piece.Length)}\r\n\r\n");
                await body.SendAndPassAsync(pieces[0], 1);
                await body.SendAndPassAsync(pieces[1], 1);
                await body.SendAndPassAsync("", 1.1);
                await body.CommittedAsync(4000);
                await body.SendAndPassAsync(pieces[2], 0.9);
                await body.SendAndPassAsync(pieces[3], 0.2);
                await body.CommittedAsync(8000);
            }
        );

        Assert.Equal(2, commits);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task A_first_load_that_comes_fast_is_committed_at_once_after_10_s()
    {
        // Not in the order of their keys, which would be written at once.
        string[] pieces =
        [
            .. Enumerable
                .Range(0, 20_000)
                .Select(i => Record(20_000 - i, i, $",\"text\":\"{new string('x', 1000)}\""))
                .Chunk(18_000)
                .Select(records => string.Concat(records)),
        ];

        var commits = await RunAsync(
            watches: false,
            async body =>
            {
                await body.SendAsync($"{KnownLength}{pieces.Sum(piece => piece.Length) + 1}\r\n\r\n");
                await body.SendAndPassAsync(pieces[0], 9.5);
                await body.SendAndPassAsync(pieces[1], 0.6);
                await body.CommittedAsync(20_000);
                await body.SendAsync("\n");
            }
        );

        Assert.Equal(1, commits);
    }

    [Fact(Timeout = Pace.Limit)]
    public async Task Who_watches_the_changes_of_a_body_of_known_length_sees_them_as_soon_as_it_pauses()
    {
        var records = Records(1, 2000);
        await RunAsync(
            watches: true,
            async body =>
            {
                await body.SendAsync($"{KnownLength}{records.Length + 1}\r\n\r\n");
                await body.SendAndPassAsync(records, Pace.Commit.TotalSeconds);
                await body.CommittedAsync(2000);
                await body.SendAsync("\n");
            }
        );
    }

    /// <summary>Runs a sync; returns how many commits changed the table.</summary>
    private async Task<int> RunAsync(bool watches, Func<PacedBody, Task> serve)
    {
        var time = new ManualTimeProvider();
        var log = new ListLogger();
        TableSync sync = null!;
        await using var server = new RawServer(exchange => serve(new PacedBody(exchange, sync, time)));
        sync = new TableSync(
            new SyncOptions
            {
                Feed = new FeedOptions { Uri = server.FeedUri, OperationTimeout = TimeSpan.FromSeconds(30) },
                Store = new FileTableStore(TablePath),
                WantsChanges = watches,
                Logger = log,
            },
            time
        );
        await SyncRun.ToEndAsync(sync);
        return log.Entries.Count(entry => entry.Id.Id == 2);
    }

    private static string Records(int first, int last) =>
        string.Concat(Enumerable.Range(first, last - first + 1).Select(id => Record(id, id)));

    /// <summary>A body whose sync's clock stands still while it reads.</summary>
    private sealed class PacedBody(RawExchange exchange, TableSync sync, ManualTimeProvider time)
    {
        private readonly Pace _pace = new(sync, time);
        private long _sent;

        public Task SendAsync(string text) => exchange.SendAsync(text);

        public async Task SendAndPassAsync(string records, double seconds)
        {
            await SendAsync(records);
            _sent += records.Length;
            await _pace.ReceivedAsync(_sent);
            time.Advance(TimeSpan.FromSeconds(seconds));
        }

        public Task CommittedAsync(long records) => Eventually.TrueAsync(() => sync.Result.Added == records);
    }
}
