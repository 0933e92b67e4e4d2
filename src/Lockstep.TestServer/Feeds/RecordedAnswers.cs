using System.Text;
using Lockstep.Engine;
using Lockstep.Engine.Recording;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Lockstep.TestServer.Feeds;

/// <summary>The answers of a recorded conversation, by request. Thread-safe.</summary>
internal sealed class RecordedAnswers
{
    private static readonly byte[] Origin = Encoding.ASCII.GetBytes(RecordingScrubber.Origin);

    private readonly Lock _gate = new();
    private readonly List<Answer> _answers = [];
    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);

    /// <param name="file">A recording of a conversation.</param>
    /// <exception cref="InvalidRecordingException">It is not one.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public RecordedAnswers(string file)
    {
        var number = 0;
        foreach (var line in RecordingFormat.Read(file))
        {
            number++;
            if (line.Request is { } request)
                _answers.Add(new Answer(Normalize(request), line, number));
        }
        if (_answers.Count == 0)
            throw new InvalidRecordingException($"{file} holds no answer. Record the feed again.");
        Feed = _answers[0].Head.Feed ?? _answers[0].Head.Request!;
    }

    private sealed record Answer(string Request, RecordingLine Head, int Line);

    /// <summary>The feed's path and query.</summary>
    public string Feed { get; }

    /// <summary>
    /// The answer to a request: the next of those that it got when it was recorded; after the last one, the last one again.
    /// </summary>
    /// <returns>Its headers, and how many lines of the file come before its body; null if this was never requested.</returns>
    public (RecordingLine Head, int After)? Find(HttpRequest request)
    {
        var asked = Normalize(request.Path.ToUriComponent() + request.QueryString.Value);
        lock (_gate)
        {
            Answer[] there = [.. _answers.Where(answer => answer.Request == asked)];
            if (there.Length == 0)
                return null;
            var times = _asked.GetValueOrDefault(asked);
            _asked[asked] = times + 1;
            var answer = there[Math.Min(times, there.Length - 1)];
            return (answer.Head, answer.Line);
        }
    }

    /// <summary>A stretch of a body with the replaying server's own name in its links.</summary>
    public static byte[] Localize(byte[] bytes, string root) =>
        bytes.AsSpan().IndexOf(Origin) < 0
            ? bytes
            : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes).Replace(RecordingScrubber.Origin, root, StringComparison.Ordinal));

    /// <summary>
    /// What is requested, whatever the order and the escapes of its options. A secret that was not recorded is one that the client brings
    /// along.
    /// </summary>
    private static string Normalize(string request)
    {
        var at = request.IndexOf('?', StringComparison.Ordinal);
        if (at < 0)
            return Uri.UnescapeDataString(request) + "?";
        var options = QueryHelpers
            .ParseQuery(request[at..])
            .Where(option => !SecretNames.Contain(option.Key) || IsServers(option.Value.ToString()))
            .Select(option => $"{option.Key}={option.Value}")
            .Order(StringComparer.Ordinal);
        return $"{Uri.UnescapeDataString(request[..at])}?{string.Join('&', options)}";
    }

    /// <summary>Whether a secret is a token or a word (such as <c>latest</c>) of the server's.</summary>
    private static bool IsServers(string secret) =>
        secret.StartsWith("hidden-", StringComparison.Ordinal)
            ? secret != RecordingScrubber.Own
            : secret.Length < RecordingScrubber.ShortestSecret;
}
