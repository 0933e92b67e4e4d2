using System.Text;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Recording;

/// <summary>Saves one response of a real feed with its timing, so that a test server can serve it again.</summary>
public static class FeedRecorder
{
    // The response headers that mean something to a follower of the feed; others may hold secrets (I9).
    private static readonly string[] Kept =
    [
        "Content-Type",
        "Content-Encoding",
        "Instance-Name",
        "Lockstep-Feed",
        "Lockstep-Key",
        "X-Amz-Meta-Count",
        "Retry-After",
    ];

    /// <summary>
    /// Records until the body ends, the limit is reached or the token is cancelled. Only then does the file get its name, and it is
    /// complete.
    /// </summary>
    /// <param name="feed">The feed and how to reach it. Nothing of that goes into the file.</param>
    /// <param name="cursor">Where to begin.</param>
    /// <param name="path">The file; an existing one is overwritten.</param>
    /// <param name="options">Limits.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    /// <param name="cancellationToken">Ends the recording.</param>
    /// <exception cref="FeedException">The feed cannot be reached, or redirects wrongly.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<FeedRecording> RecordAsync(
        FeedOptions feed,
        Cursor cursor,
        string path,
        RecordingOptions? options = null,
        TimeProvider? timeProvider = null,
        CancellationToken cancellationToken = default
    )
    {
        ArgumentNullException.ThrowIfNull(feed);
        options ??= new RecordingOptions();
        var time = timeProvider ?? TimeProvider.System;
        using FeedHttp http = new(feed, time);
        using var response = await AskAsync(http, feed, cursor, cancellationToken).ConfigureAwait(false);
        using var unfinished = new UnfinishedFile(path);
        var recording = await WriteAsync(unfinished.Stream, response, path, options, time, cancellationToken).ConfigureAwait(false);
        unfinished.Complete();
        return recording;
    }

    private static async Task<FeedRecording> WriteAsync(
        Stream target,
        HttpResponseMessage response,
        string path,
        RecordingOptions options,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        StreamWriter file = new(target, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        await using (file.ConfigureAwait(false))
        {
            var began = time.GetTimestamp();
            await file.WriteLineAsync(RecordingFormat.Write(Head(response))).ConfigureAwait(false);
            (var bytes, var end) = await RecordBodyAsync(response, file, options, time, began, cancellationToken).ConfigureAwait(false);
            var duration = time.GetElapsedTime(began);
            await file.WriteLineAsync(RecordingFormat.Write(new RecordingLine { At = duration.TotalSeconds, End = end }))
                .ConfigureAwait(false);
            return new FeedRecording(path, (int)response.StatusCode, bytes, duration, end);
        }
    }

    private static async Task<(long Bytes, RecordingEnd End)> RecordBodyAsync(
        HttpResponseMessage response,
        StreamWriter file,
        RecordingOptions options,
        TimeProvider time,
        long began,
        CancellationToken cancellationToken
    )
    {
        using CancellationTokenSource limit = new(options.Duration ?? Timeout.InfiniteTimeSpan, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var buffer = new byte[64 * 1024];
        long bytes = 0;
        try
        {
            var body = await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
            while (!(bytes >= options.MaximumBytes))
            {
                var wanted = (int)Math.Min(buffer.Length, (options.MaximumBytes ?? long.MaxValue) - bytes);
                var read = await body.ReadAsync(buffer.AsMemory(0, wanted), either.Token).ConfigureAwait(false);
                if (read == 0)
                    return (bytes, RecordingEnd.Completed);
                await file.WriteLineAsync(
                        RecordingFormat.Write(RecordingLine.Of(time.GetElapsedTime(began).TotalSeconds, buffer.AsSpan(0, read)))
                    )
                    .ConfigureAwait(false);
                bytes += read;
            }
            return (bytes, RecordingEnd.Stopped);
        }
        catch (OperationCanceledException)
        {
            return (bytes, RecordingEnd.Stopped);
        }
        catch (Exception error) when (error is IOException or HttpRequestException)
        {
            return (bytes, RecordingEnd.Cut);
        }
    }

    /// <summary>Requests as a client would, following a redirect to a snapshot: what comes is what gets recorded.</summary>
    private static async Task<HttpResponseMessage> AskAsync(
        FeedHttp http,
        FeedOptions feed,
        Cursor cursor,
        CancellationToken cancellationToken
    )
    {
        var target = http.Uri.Request(feed.CursorStyle, cursor, feed.Query, update: false);
        for (var redirects = 0; ; redirects++)
        {
            var response = await http.GetAsync(target, addHeaders: null, cancellationToken).ConfigureAwait(false);
            if (redirects == FeedHttp.MostRedirects || http.RedirectOf(response, target) is not { } location)
                return response;
            response.Dispose();
            target = location;
        }
    }

    private static RecordingLine Head(HttpResponseMessage response)
    {
        Dictionary<string, string> headers = [];
        foreach (var name in Kept)
        {
            if (response.Headers.TryGetValues(name, out var values) || response.Content.Headers.TryGetValues(name, out values))
            {
                var value = string.Join(", ", values);
                if (RecordingFormat.CanSend(value))
                    headers[name] = value;
            }
        }
        return new RecordingLine
        {
            Version = RecordingFormat.Version,
            Status = (int)response.StatusCode,
            Headers = headers,
        };
    }
}

/// <summary>How much of a feed a <see cref="FeedRecorder"/> records.</summary>
public sealed class RecordingOptions
{
    /// <summary>How long; null to record until the body ends.</summary>
    public TimeSpan? Duration { get; set; }

    /// <summary>How many bytes of the body at most; null for no limit.</summary>
    public long? MaximumBytes { get; set; }
}
