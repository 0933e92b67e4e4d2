using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Lockstep.TestServer.Recording;

/// <summary>Saves one response of a real feed with its timing, so that a test server can serve it again.</summary>
public static class FeedRecorder
{
    // Which of a response's headers mean something to a follower of the feed; others may hold secrets (I9).
    private static readonly string[] Kept = ["Content-Type", "Content-Encoding", "Instance-Name", "Lockstep-Feed", "X-Amz-Meta-Count", "Retry-After"];

    /// <summary>Records until the body ends, the limit is reached or the token is cancelled; in each case the file is whole.</summary>
    /// <param name="feed">The URI to ask, with its cursor. User and password in it become Basic authentication and do not go into the file.</param>
    /// <param name="path">The file; an existing one is overwritten.</param>
    /// <param name="options">Limits and headers.</param>
    /// <param name="timeProvider">Measures; null for the system's clock.</param>
    /// <param name="cancellationToken">Ends the recording.</param>
    /// <exception cref="HttpRequestException">The feed cannot be reached.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<FeedRecording> RecordAsync(Uri feed, string path, RecordingOptions? options = null, TimeProvider? timeProvider = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(feed);
        options ??= new RecordingOptions();
        TimeProvider time = timeProvider ?? TimeProvider.System;
        using SocketsHttpHandler handler = new() { ResponseDrainTimeout = TimeSpan.Zero, AutomaticDecompression = DecompressionMethods.None };
        using HttpClient http = new(handler) { Timeout = Timeout.InfiniteTimeSpan };
        using HttpRequestMessage request = Request(feed, options);
        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        StreamWriter file = new(path, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        await using (file.ConfigureAwait(false))
        {
            long began = time.GetTimestamp();
            await file.WriteLineAsync(RecordingFormat.Write(Head(response))).ConfigureAwait(false);
            (long bytes, RecordingEnd end) = await RecordBodyAsync(response, file, options, time, began, cancellationToken).ConfigureAwait(false);
            TimeSpan duration = time.GetElapsedTime(began);
            await file.WriteLineAsync(RecordingFormat.Write(new RecordingLine { At = duration.TotalSeconds, End = end })).ConfigureAwait(false);
            return new FeedRecording(path, (int)response.StatusCode, bytes, duration, end);
        }
    }

    private static async Task<(long Bytes, RecordingEnd End)> RecordBodyAsync(
        HttpResponseMessage response, StreamWriter file, RecordingOptions options, TimeProvider time, long began, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = new(options.Duration ?? Timeout.InfiniteTimeSpan, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        byte[] buffer = new byte[64 * 1024];
        long bytes = 0;
        try
        {
            Stream body = await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false);
            while (!(bytes >= options.MaximumBytes))
            {
                int wanted = (int)Math.Min(buffer.Length, (options.MaximumBytes ?? long.MaxValue) - bytes);
                int read = await body.ReadAsync(buffer.AsMemory(0, wanted), either.Token).ConfigureAwait(false);
                if (read == 0)
                    return (bytes, RecordingEnd.Completed);
                await file.WriteLineAsync(RecordingFormat.Write(RecordingLine.Of(time.GetElapsedTime(began).TotalSeconds, buffer.AsSpan(0, read)))).ConfigureAwait(false);
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

    private static HttpRequestMessage Request(Uri feed, RecordingOptions options)
    {
        HttpRequestMessage request = new(HttpMethod.Get, new UriBuilder(feed) { UserName = "", Password = "" }.Uri);
        if (feed.UserInfo.Length > 0)
            request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(feed.UserInfo))));
        foreach ((string name, string value) in options.Headers ?? new Dictionary<string, string>())
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private static RecordingLine Head(HttpResponseMessage response)
    {
        Dictionary<string, string> headers = [];
        foreach (string name in Kept)
        {
            if (response.Headers.TryGetValues(name, out IEnumerable<string>? values) || response.Content.Headers.TryGetValues(name, out values))
                headers[name] = string.Join(", ", values);
        }
        return new RecordingLine { Version = RecordingFormat.Version, Status = (int)response.StatusCode, Headers = headers };
    }
}
