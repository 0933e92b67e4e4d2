using System.Text;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Sync;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Recording;

/// <summary>
/// Saves the conversation with a server of another dialect: the requests that a sync makes of it, page after page, and what was answered
/// with its timing, so that a test server can give the same answers again.
/// </summary>
public static class DialectRecorder
{
    /// <summary>More is held in memory for nobody.</summary>
    private const long MostBytes = 256L * 1024 * 1024;

    /// <summary>What an answer counts for besides its body: a feed of empty pages without an end has a limit, too.</summary>
    private const int HeadBytes = 1024;

    private static readonly string[] Kept =
    [
        "Content-Type",
        "Date",
        "Link",
        "Location",
        "Last-Event-ID",
        "Preference-Applied",
        "Retry-After",
        "X-Poll-Interval",
        "X-Total-Count",
    ];

    private static readonly string[] KeptFamilies = ["electric-", "stream-", "x-ratelimit-"];

    /// <summary>
    /// Records until the sync has everything or, with a duration, follows for that long; the file has its name from then on.
    /// </summary>
    /// <param name="feed">The feed and how to reach it. Nothing of that goes into the file.</param>
    /// <param name="dialect">How to read it; null to detect the dialect.</param>
    /// <param name="path">The file; an existing one is overwritten.</param>
    /// <param name="options">Limits.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Ends the recording; the file is whole.</param>
    /// <exception cref="FeedException">The feed cannot be reached, or is of another dialect.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<FeedRecording> RecordAsync(
        FeedOptions feed,
        DialectDescription? dialect,
        string path,
        RecordingOptions? options = null,
        TimeProvider? timeProvider = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(feed);
        options ??= new RecordingOptions();
        var time = timeProvider ?? TimeProvider.System;
        var began = time.GetTimestamp();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var limit = Math.Min(options.MaximumBytes ?? MostBytes, MostBytes);
        List<RecordedExchange> exchanges = [];
        var bytes = 0L;
        var held = 0L;
        using var unfinished = new UnfinishedFile(path);
        var isStopped = false;
        try
        {
            await SyncAsync(feed.WithTap(Tap), dialect, options, time, ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            isStopped = true;
        }

        await WriteAsync(unfinished.Stream, feed, exchanges).ConfigureAwait(false);
        unfinished.Complete();
        var end = isStopped || exchanges.Count == 0 ? RecordingEnd.Stopped : exchanges[^1].End;
        return new FeedRecording(path, exchanges.Count == 0 ? 0 : exchanges[0].Status, bytes, time.GetElapsedTime(began), end);

        void Tap(HttpResponseMessage response)
        {
            var head = time.GetTimestamp();
            var exchange = new RecordedExchange
            {
                Request = response.RequestMessage!.RequestUri!.PathAndQuery,
                Status = (int)response.StatusCode,
                Headers = HeadersOf(response),
                Began = time.GetElapsedTime(began).TotalSeconds,
            };
            exchanges.Add(exchange);
            Count(HeadBytes);
            response.Content = TappedContent.Of(
                response.Content,
                exchange,
                () => time.GetElapsedTime(head).TotalSeconds,
                count =>
                {
                    bytes += count;
                    Count(count);
                }
            );
        }

        void Count(int more)
        {
            if ((held += more) >= limit)
                ended.Cancel();
        }
    }

    private static async Task SyncAsync(
        FeedOptions feed,
        DialectDescription? dialect,
        RecordingOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var folder = Directory.CreateTempSubdirectory("lockstep-");
        try
        {
            var sync = new TableSync(
                new SyncOptions
                {
                    Feed = feed,
                    Store = new FileTableStore(Path.Combine(folder.FullName, "recorded.db")),
                    Foreign = dialect,
                    FollowFor = options.Duration,
                    MalformedRecord = MalformedRecordPolicy.Quarantine,
                    MaximumRetryCount = 0,
                },
                time
            );
            await foreach (var step in sync.RunAsync(cancellationToken).ConfigureAwait(false))
                _ = step;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Dictionary<string, string> HeadersOf(HttpResponseMessage response) =>
        response
            .Headers.Concat(response.Content.Headers)
            .Where(header =>
                Kept.Contains(header.Key, StringComparer.OrdinalIgnoreCase)
                || KeptFamilies.Any(family => header.Key.StartsWith(family, StringComparison.OrdinalIgnoreCase))
            )
            .Select(header => (header.Key, Value: string.Join(", ", header.Value)))
            .Where(header => RecordingFormat.CanSend(header.Value))
            .ToDictionary(header => header.Key, header => header.Value, StringComparer.OrdinalIgnoreCase);

    private static async Task WriteAsync(Stream target, FeedOptions options, List<RecordedExchange> exchanges)
    {
        var feed = options.Address.Location;
        var scrubber = new RecordingScrubber(feed, exchanges, options);
        var answers = string.Concat(
            exchanges.Select(exchange =>
                string.Concat(exchange.Headers.Values) + string.Concat(exchange.Body.Select(part => Encoding.UTF8.GetString(part.Bytes)))
            )
        );
        var said = scrubber.Clean(answers);
        StreamWriter file = new(target, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        await using (file.ConfigureAwait(false))
        {
            var isFirst = true;
            foreach (var exchange in exchanges)
            {
                await file.WriteLineAsync(
                        RecordingFormat.Write(
                            new RecordingLine
                            {
                                Version = isFirst ? RecordingFormat.Conversation : null,
                                Feed = isFirst ? RequestOf(scrubber.Clean(feed.PathAndQuery), said) : null,
                                Request = RequestOf(scrubber.Clean(exchange.Request), said),
                                Status = exchange.Status,
                                Headers = exchange.Headers.ToDictionary(header => header.Key, header => scrubber.Clean(header.Value)),
                            }
                        )
                    )
                    .ConfigureAwait(false);
                foreach ((var at, var part) in scrubber.Clean(exchange.Body))
                {
                    foreach (var stretch in RecordingScrubber.Stretches(part))
                        await file.WriteLineAsync(RecordingFormat.Write(RecordingLine.Of(at, stretch.Span))).ConfigureAwait(false);
                }

                await file.WriteLineAsync(RecordingFormat.Write(new RecordingLine { At = exchange.Ended, End = exchange.End }))
                    .ConfigureAwait(false);
                isFirst = false;
            }
        }
    }

    /// <summary>
    /// A request without the secrets that only the client knew: the server never spoke of them, so a replay does not miss them.
    /// </summary>
    private static string RequestOf(string request, string answers)
    {
        var at = request.IndexOf('?', StringComparison.Ordinal);
        return at < 0
            ? request
            : request[..at]
                + SecretNames.ReplaceValues(
                    request[at..],
                    (pair, value) => value != RecordingScrubber.Own && answers.Contains(value, StringComparison.Ordinal) ? pair : null
                );
    }
}
