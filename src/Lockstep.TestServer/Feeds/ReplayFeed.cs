using Lockstep.Engine.Recording;
using Lockstep.Serving.Hosting;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>
/// Serves a recorded response to every request: the same bytes, one chunk for each piece that came at once, and the same pauses, shortened
/// by the speed. In a recorded conversation each request gets its own answer, and when it comes again the next one.
/// </summary>
internal sealed class ReplayFeed : IFeed
{
    /// <summary>No timer takes more than 49 days.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(40);

    private readonly string _file;
    private readonly double _speed;
    private readonly TimeProvider _time;
    private readonly RecordingLine _head;
    private readonly RecordedAnswers? _answers;

    /// <param name="file">A recording.</param>
    /// <param name="speed">1 for the original speed, 2 for twice as fast; infinity leaves the pauses out.</param>
    /// <param name="time">Measures the pauses.</param>
    /// <exception cref="InvalidRecordingException">It is not one.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public ReplayFeed(string file, double speed, TimeProvider time)
    {
        (_file, _speed, _time) = (file, speed, time);
        _head = RecordingFormat.Read(file).First();
        if (_head.Version == RecordingFormat.Conversation)
            _answers = new RecordedAnswers(file);
        Path = _answers?.Feed ?? "/servers/";
    }

    public string Path { get; }

    public async Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        var (head, after) = (_head, 1);
        if (_answers is not null)
        {
            if (_answers.Find(context.Request) is not { } answer)
            {
                await Refusal
                    .SendAsync(context, log, StatusCodes.Status404NotFound, "The recording has no answer to this.", cancellationToken)
                    .ConfigureAwait(false);
                return;
            }
            (head, after) = answer;
        }
        var root = $"{context.Request.Scheme}://{context.Request.Host}";
        context.Response.StatusCode = head.Status ?? StatusCodes.Status200OK;
        foreach ((var name, var value) in head.Headers ?? [])
            context.Response.Headers[name] = value.Replace(RecordingScrubber.Origin, root, StringComparison.Ordinal);
        // A recorded page must not run its scripts where the page is that controls this server.
        context.Response.Headers.ContentSecurityPolicy = "sandbox";
        if (
            context.Response.StatusCode
            is StatusCodes.Status204NoContent
                or StatusCodes.Status205ResetContent
                or StatusCodes.Status304NotModified
        )
        {
            return;
        }

        var body = await ResponseBody.StartAsync(context, log, length: null, cancellationToken).ConfigureAwait(false);
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        double last = 0;
        foreach (var line in RecordingFormat.Read(_file).Skip(after))
        {
            var pause = TimeSpan.FromSeconds(Math.Clamp(((line.At ?? last) - last) / _speed, 0, LongestPause.TotalSeconds));
            last = line.At ?? last;
            if (pause > TimeSpan.Zero)
                await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
            if (line.End is { } end)
            {
                await EndAsync(end, cancellationToken).ConfigureAwait(false);
                return;
            }
            if (line.Bytes is { Length: > 0 } bytes)
                body.Write(_answers is null ? bytes : RecordedAnswers.Localize(bytes, root));
            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        // A recording whose recorder was killed has no end.
        await EndAsync(RecordingEnd.Cut, cancellationToken).ConfigureAwait(false);
    }

    private static Task EndAsync(RecordingEnd end, CancellationToken cancellationToken) =>
        end switch
        {
            RecordingEnd.Completed => Task.CompletedTask,
            RecordingEnd.Cut => throw new ResponseEndedException(CutKind.Fin, RequestEnding.Cut),
            _ => Task.Delay(Timeout.Infinite, cancellationToken),
        };
}
