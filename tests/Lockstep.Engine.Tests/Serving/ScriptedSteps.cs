using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Lockstep.Engine.Serving;
using Lockstep.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>A source whose rows are numbers: a test decides which ones exist, and which of them the live log has.</summary>
internal sealed class ScriptedSteps : IFeedSteps<LogPosition>
{
    public string Name => "numbers";

    public LiveLog<LogPosition> Live { get; } = new(4096);

    public ManualTimeProvider Clock { get; } = new();

    public TimeProvider Time => Clock;

    public TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    public bool PositionsAreWhole => true;

    /// <summary>The number of the newest row.</summary>
    public long Newest { get; set; }

    /// <summary>Called when a client starts to read changes.</summary>
    public Action? OnChanges { get; set; }

    /// <summary>What the journey reported: came, sent back, left.</summary>
    public List<string> Told { get; } = [];

    /// <summary>Adds rows, and appends them to the live log in one batch, each a separate piece.</summary>
    public void Append(int rows = 1)
    {
        var from = Newest;
        Newest += rows;
        var pieces = Enumerable.Range((int)from + 1, rows).Select(i => Row(i)).ToList();
        Live.Append(new LiveBatch<LogPosition>(new LogPosition(from), new LogPosition(Newest), pieces, pieces.Sum(p => p.Length)));
    }

    public FeedJourney<LogPosition> Journey(long since) =>
        new(this, "feed", new LogPosition(since), new FeedRequest(since, null, TimeSpan.FromSeconds(10)));

    public async IAsyncEnumerable<FeedStep<LogPosition>> ReadSnapshotAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var horizon = Newest;
        foreach (var step in Rows(0))
        {
            yield return step with
            {
                Position = null,
            };
        }

        await Task.Yield();
        yield return new FeedStep<LogPosition>(default, new LogPosition(horizon));
    }

    public async IAsyncEnumerable<FeedStep<LogPosition>> ReadChangesAsync(
        LogPosition known,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        OnChanges?.Invoke();
        foreach (var step in Rows(known.Cursor))
            yield return step;
        await Task.Yield();
    }

    public void Came() => Told.Add("came");

    public void SentBack() => Told.Add("sent back");

    public void Left() => Told.Add("left");

    /// <summary>The content of a chunk: the numbers of its rows, and the client's position after it.</summary>
    public static string Describe(FeedChunk chunk)
    {
        var rows = RelayClient.Parse(chunk.Lines).Select(r => r.Id.ToString(CultureInfo.InvariantCulture));
        var standing = chunk.Kind is FeedChunkKind.SnapshotCompleted or FeedChunkKind.CaughtUp ? $"@{chunk.Since}" : "";
        return $"{chunk.Kind} {string.Join(',', rows)}{standing}";
    }

    private List<FeedStep<LogPosition>> Rows(long after)
    {
        var steps = new List<FeedStep<LogPosition>>();
        for (var i = after + 1; i <= Newest; i++)
            steps.Add(new FeedStep<LogPosition>(Row(i), new LogPosition(i)));
        return steps;
    }

    private static ReadOnlyMemory<byte> Row(long number)
    {
        var lines = new FeedLines(new RowLimits("feed", RowLimits.DefaultBytes, checksJson: true, NullLogger.Instance), () => ["id"]);
        lines.Append(number, number, isDeleted: false, Encoding.UTF8.GetBytes($"{{\"id\":{number}}}"));
        return lines.Take()[0];
    }
}
