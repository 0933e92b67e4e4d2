using System.Text;
using System.Text.Json.Nodes;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Tests.Dialects.Soak;

/// <summary>
/// Syncs a table with a server that does its worst, and with a client that dies now and then; when the server is quiet, the table has what
/// the server has, and everything reported on the way makes sense.
/// </summary>
internal sealed class DialectSoak(SoakServer server, TableStore store, Func<ITable> table, CancellationToken cancellationToken)
{
    private const int Rounds = 7;
    private const int Kills = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private SortedDictionary<string, string> _shadow = new(StringComparer.Ordinal);

    public async Task RunAsync(int seed)
    {
        var random = new Random(seed + 1);
        try
        {
            for (var round = 0; round < Rounds; round++)
            {
                server.Change(round == 0 ? 40 : 6);
                await SyncAsync(random.Next(3) == 0 ? random.Next(1, 6) : 0, server.IsFollowed && random.Next(3) > 0, random);
            }

            await EndAsync(random);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Assert.Fail($"seed {seed}: {e}\n{string.Join('\n', server.Story.TakeLast(200))}");
        }
    }

    /// <summary>
    /// Has another process sync, which is killed at a random moment, several times; then one sync brings the table to what the server has.
    /// </summary>
    public async Task RunKilledAsync(int seed, KilledSync killed)
    {
        var random = new Random(seed + 1);
        try
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                server.Change(kill == 0 ? 40 : 6);
                await killed.RunAsync(server, server.IsFollowed && random.Next(2) == 0, random, cancellationToken);
                server.Check(Read().Values);
            }

            Remember();
            await EndAsync(random);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Assert.Fail($"seed {seed}: {e}\n{string.Join('\n', server.Story.TakeLast(200))}");
        }
    }

    /// <summary>The same on a disk that is full now and then: what could not be written counts for nothing.</summary>
    public async Task RunFullAsync(int seed, SmallDisk disk)
    {
        var random = new Random(seed + 1);
        try
        {
            for (var round = 0; round < Rounds; round++)
            {
                server.Change(round == 0 ? 40 : 6);
                disk.Fill(random.Next(60) * 4096L);
                await SyncAsync(0, server.IsFollowed && random.Next(3) > 0, random, disk: disk);
                disk.Free();
            }

            await EndAsync(random);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Assert.Fail($"seed {seed}: {e}\n{string.Join('\n', server.Story.TakeLast(200))}");
        }
    }

    private async Task EndAsync(Random random)
    {
        server.Quiet();
        await SettleAsync(random);
        var said = await SyncAsync(0, follows: false, random, sees: true);
        Assert.True(said == 0, $"{said} changes were reported of a server that is quiet");
        AssertEqual();
    }

    /// <summary>One sync brings the table to the state of the quiet server.</summary>
    private async Task SettleAsync(Random random)
    {
        await SyncAsync(0, follows: false, random);
        if (!server.IsFollowed)
        {
            AssertEqual();
            return;
        }

        await SyncAsync(0, follows: true, random, untilEqual: true);
        AssertEqual();
    }

    private async Task<int> SyncAsync(
        int killAt,
        bool follows,
        Random random,
        bool untilEqual = false,
        bool resync = false,
        bool sees = false,
        SmallDisk? disk = null
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stop.CancelAfter(Patience);
        server.KillAt(killAt, stop.Cancel);
        var steps = follows && !untilEqual ? random.Next(1, 12) : int.MaxValue;
        var said = 0;
        var left = false;
        // Pages of those who see no changes share a commit.
        sees |= untilEqual || random.Next(2) == 0;
        var sync = new TableSync(Options(follows, resync, sees));
        try
        {
            await foreach (var step in sync.RunAsync(stop.Token))
            {
                if (step is ChangesCommitted committed)
                {
                    said += committed.Changes.Count;
                    Note(committed.Changes);
                }

                if (untilEqual ? IsEqual() : --steps == 0)
                {
                    stop.Cancel();
                    left = true;
                    break;
                }
            }

            if (left || !sees)
                Remember();
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested && !untilEqual && (killAt > 0 || steps <= 0))
        {
            // It died: a consumer of the changes reads the table.
            Remember();
            return said;
        }
        catch (OperationCanceledException) when (untilEqual)
        {
            AssertEqual();
        }
        catch (LockstepException e) when (e.Kind == ErrorKind.SweepRefused)
        {
            return said + await SyncAsync(0, follows, random, untilEqual, resync: true, sees, disk);
        }
        catch (TableFileException) when (disk is not null)
        {
            disk.Free();
            disk.Refusals++;
            if (!sees)
                Remember();
        }
        catch (FeedException)
        {
            // Cut off or refused: the next one continues.
            if (stop.IsCancellationRequested || !sees)
                Remember();
        }

        disk?.Free();
        server.Check(Read().Values);
        Assert.Equal(Read().Select(pair => pair.ToString()), _shadow.Select(pair => pair.ToString()));
        return said;
    }

    private SyncOptions Options(bool follows, bool resync, bool sees) =>
        new()
        {
            Feed = new FeedOptions { Uri = new Uri(server.Root, server.Path) },
            Store = store,
            TableName = "soak",
            Foreign = server.Dialect.StartsWith('{')
                ? DialectDescription.Parse(server.Dialect, "soak")
                : DialectDescription.Load(server.Dialect),
            Settle = TimeSpan.FromMilliseconds(40),
            RetryInterval = TimeSpan.FromMilliseconds(2),
            PollInterval = TimeSpan.FromMilliseconds(2),
            Follow = follows,
            Resync = resync,
            WantsChanges = sees,
        };

    /// <summary>Each change makes sense after those before it, and none repeats the current state.</summary>
    private void Note(IReadOnlyList<TableChange> changes)
    {
        foreach (var change in changes)
        {
            var key = change.Key.ToString();
            var now = change.Kind == ChangeKind.Deleted ? null : Canonical(change.Record.Span);
            var had = _shadow.GetValueOrDefault(key);
            var isSound = change.Kind switch
            {
                ChangeKind.Added => had is null,
                ChangeKind.Updated => had is not null && had != now,
                _ => had is not null,
            };
            Assert.True(isSound, $"{change.Kind} was reported of {key}, which was {had ?? "not there"} and is {now ?? "gone"}");
            if (now is null)
                _shadow.Remove(key);
            else
                _shadow[key] = now;
        }
    }

    private void Remember() => _shadow = Read();

    private bool IsEqual() => Read().Values.SequenceEqual(Wanted());

    private void AssertEqual() => Assert.Equal(Wanted(), Read().Values);

    private List<string> Wanted() => [.. server.Expected().Select(json => Canonical(Encoding.UTF8.GetBytes(json)))];

    private SortedDictionary<string, string> Read()
    {
        var records = new SortedDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var scan = table().Read();
            while (scan.Read())
                records[scan.Key.ToString()] = Canonical(scan.Json);
        }
        catch (TableNotFoundException)
        {
            // The first sync died before it was created.
        }

        return records;
    }

    /// <summary>A record as a text that does not depend on the order of its fields.</summary>
    private static string Canonical(ReadOnlySpan<byte> json)
    {
        var record = JsonNode.Parse(json)!.AsObject();
        var fields = record
            .OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => $"{pair.Key}={pair.Value?.ToJsonString() ?? "null"}");
        return string.Join(' ', fields);
    }
}
