using System.IO.Pipelines;
using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;
using Lockstep.Testing;

namespace Lockstep.Engine.Tests.Sync;

/// <summary>An import ends at the end of its input, not where a feed would be caught up.</summary>
public sealed class ImportTests : SyncTest
{
    [Fact(Timeout = Pace.Limit)]
    public async Task A_pause_a_heartbeat_or_a_control_row_in_the_source_is_not_its_end()
    {
        // A write completes when the import has read what was written.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        var time = new ManualTimeProvider();
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri("http://localhost/") },
            Store = new FileTableStore(TablePath),
            Settle = TimeSpan.FromMilliseconds(50),
        };
        var writing = Task.Run(
            async () =>
            {
                foreach (var text in (string[])[Record(1, 1), "{\"heartbeat\":true}\n", Record(2, 2), Completed(2), Beat(3), Record(3, 3)])
                {
                    await pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(text), Cancellation);
                    // The consumer waits on the clock, and continues at each of these.
                    for (var pause = 0; pause < 10; pause++)
                    {
                        await time.WaitForTimersAsync(1, Cancellation);
                        time.Advance(TimeSpan.FromMilliseconds(250));
                    }
                }

                await pipe.Writer.CompleteAsync();
            },
            Cancellation
        );

        SyncResult? result = null;
        await foreach (var step in new TableImport(options, pipe.Reader.AsStream(), time).RunAsync(Cancellation))
        {
            if (step is SyncEnded ended)
                result = ended.Result;
        }

        Assert.Equal((SyncEndReason.EndOfFeed, 3L), (result!.EndReason, result.Added));
        await writing;
        Assert.Equal(["1", "2", "3"], Keys);
    }

    [Theory]
    [InlineData("[\n{\"id\":1,\"updated_at\":1},\n{\"id\":2,\"updated_at\":2}\n]\n", 2, 0)]
    [InlineData("\uFEFF [{\"id\":1,\"updated_at\":1,\"a\":[1,{\"b\":[2,3]}],\"s\":\"],[\\\",{\"}, {\"id\":2,\"updated_at\":2}]", 2, 0)]
    [InlineData("[]", 0, 0)]
    [InlineData("[{\"id\":1,\"updated_at\":1},5,{\"id\":2,\"updated_at\":2}]", 2, 1)]
    [InlineData("[{\"id\":1,\"updated_at\":1}]\n{\"id\":2,\"updated_at\":2}", 2, 0)]
    public async Task A_file_that_is_one_array_is_its_elements(string text, int records, int malformed)
    {
        for (var size = 1; size < 9; size += 3)
        {
            File.Delete(TablePath);
            var result = await ImportAsync(text, MalformedRecordPolicy.Quarantine, size);

            Assert.Equal((records, malformed), ((int)result.Received, (int)result.Malformed));
            Assert.Equal(malformed == 0 ? SyncOutcome.Complete : SyncOutcome.Quarantined, result.Outcome);
            Assert.Equal(SyncPhase.Ended, result.State.Phase);
        }
    }

    [Theory]
    [InlineData("[{\"id\":1,\"updated_at\":1}")]
    [InlineData("[{\"id\":1,\"updated_at\":1},")]
    [InlineData("[")]
    public async Task An_array_without_its_end_is_cut_off(string text)
    {
        var error = await Assert.ThrowsAsync<FeedCutException>(() => ImportAsync(text, MalformedRecordPolicy.Stop, 4096));

        Assert.Contains("ended within its list", error.Message, StringComparison.Ordinal);
    }

    private async Task<SyncResult> ImportAsync(string text, MalformedRecordPolicy policy, int size)
    {
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri(Folder("records.json")) },
            Store = new FileTableStore(TablePath),
            MalformedRecord = policy,
        };
        await using var source = new SlowStream(Encoding.UTF8.GetBytes(text), size);
        SyncResult? result = null;
        await foreach (var step in new TableImport(options, source).RunAsync(Cancellation))
        {
            if (step is SyncEnded ended)
                result = ended.Result;
        }

        return result!;
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class SlowStream(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }

    [Theory]
    [InlineData("{\"id\":1,\"updated_at\":1}\nnonsense\n", "holds a malformed record at byte 24", "import with MalformedRecord Quarantine")]
    [InlineData("{\"id\":1,\"updated_at\":1}\n{\"id\":2", "ended within a record that begins at byte 24", "import again")]
    public async Task Its_errors_speak_of_the_file_and_not_of_a_feed(string text, string message, string advice)
    {
        await File.WriteAllTextAsync(Folder("records.ndjson"), text, Cancellation);
        var options = new SyncOptions
        {
            Feed = new FeedOptions { Uri = new Uri(Folder("records.ndjson")) },
            Store = new FileTableStore(TablePath),
        };
        await using var source = File.OpenRead(Folder("records.ndjson"));

        var error = await Assert.ThrowsAnyAsync<FeedException>(async () =>
        {
            await foreach (var step in new TableImport(options, source).RunAsync(Cancellation))
                Assert.IsNotType<SyncEnded>(step);
        });

        Assert.StartsWith($"The file '{Folder("records.ndjson")}' {message}", error.Message, StringComparison.Ordinal);
        Assert.Contains(advice, error.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("feed", error.Message + error.RecommendedAction, StringComparison.OrdinalIgnoreCase);
    }
}
