using System.Collections.Concurrent;
using System.Text.Json;
using Lockstep.TestServer.Feeds;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Logging;

namespace Lockstep.TestServer.Tests.Foreign;

/// <summary>
/// A server of many streams made of test servers, each of which has one: it starts a test server when a stream of JSON is created, adds
/// what is appended, and forwards each reading request and its answer. Anything but JSON becomes an object that holds it, so that tests of
/// offsets, waits and tags find a stream of any type.
/// </summary>
internal sealed class StreamsOfFeeds : IAsyncDisposable
{
    private static readonly string[] Passed =
    [
        "Stream-",
        "ETag",
        "Cache-Control",
        "Content-Type",
        "X-Content-Type-Options",
        "Cross-Origin",
    ];

    private readonly WebApplication _app;
    private readonly HttpClient _http = new();
    private readonly ConcurrentDictionary<string, LockstepTestServer> _streams = new();

    private StreamsOfFeeds(WebApplication app) => _app = app;

    public string Uri => _app.Urls.First();

    public static async Task<StreamsOfFeeds> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        StreamsOfFeeds streams = new(builder.Build());
        streams._app.Run(streams.ServeAsync);
        await streams._app.StartAsync();
        return streams;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        foreach (var server in _streams.Values)
            await server.DisposeAsync();
        _http.Dispose();
    }

    private Task ServeAsync(HttpContext context) =>
        context.Request.Method switch
        {
            "PUT" => CreateAsync(context),
            "POST" => AppendAsync(context),
            "DELETE" => DeleteAsync(context),
            _ => PassAsync(context),
        };

    private async Task CreateAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        var isNew = !_streams.ContainsKey(path);
        if (isNew)
        {
            TestServerOptions options = new() { Port = 0, Feed = FeedKind.DurableStream };
            options.DialectFeed.Path = path;
            options.DialectFeed.LongestWait = TimeSpan.FromMilliseconds(500);
            _streams[path] = await LockstepTestServer.StartAsync(options);
            if (!await AddAsync(context, mayBeEmpty: true))
                return;
        }

        context.Response.StatusCode = isNew ? 201 : 200;
        context.Response.Headers.Location = Uri + path;
        context.Response.Headers.ContentType = context.Request.ContentType;
        await MarkAsync(context, path);
    }

    private async Task AppendAsync(HttpContext context)
    {
        if (!_streams.ContainsKey(context.Request.Path.Value!))
        {
            context.Response.StatusCode = 404;
        }
        else if (await AddAsync(context, mayBeEmpty: false))
        {
            context.Response.StatusCode = 204;
            await MarkAsync(context, context.Request.Path.Value!);
        }
    }

    /// <summary>Adds what the body holds: a value, or a list of them. False if it was refused.</summary>
    private async Task<bool> AddAsync(HttpContext context, bool mayBeEmpty)
    {
        using StreamReader reader = new(context.Request.Body);
        var text = await reader.ReadToEndAsync();
        if (text.Length == 0 && mayBeEmpty)
            return true;
        if (text.Length > 0 && !IsJson(context.Request))
            text = $$"""{"text":{{JsonSerializer.Serialize(text)}}}""";
        try
        {
            using var body = JsonDocument.Parse(text);
            string[] values =
                body.RootElement.ValueKind == JsonValueKind.Array
                    ? [.. body.RootElement.EnumerateArray().Select(value => value.GetRawText())]
                    : [body.RootElement.GetRawText()];
            if (values.Length > 0 || mayBeEmpty)
            {
                foreach (var value in values)
                    _streams[context.Request.Path.Value!].AddRecord(value);
                return true;
            }
        }
        catch (JsonException)
        {
            // Answered below.
        }

        context.Response.StatusCode = 400;
        return false;
    }

    private async Task DeleteAsync(HttpContext context)
    {
        context.Response.StatusCode = _streams.TryRemove(context.Request.Path.Value!, out var server) ? 204 : 404;
        if (server is not null)
            await server.DisposeAsync();
    }

    /// <summary>Says where the stream ends, as its server does.</summary>
    private async Task MarkAsync(HttpContext context, string path)
    {
        using HttpRequestMessage head = new(HttpMethod.Head, _streams[path].FeedUri);
        using var answer = await _http.SendAsync(head);
        context.Response.Headers["Stream-Next-Offset"] = answer.Headers.GetValues("Stream-Next-Offset").First();
    }

    private async Task PassAsync(HttpContext context)
    {
        if (!_streams.TryGetValue(context.Request.Path.Value!, out var server))
        {
            context.Response.StatusCode = 404;
            return;
        }

        System.Uri target = new(server.Uri, context.Request.GetEncodedPathAndQuery());
        using HttpRequestMessage request = new(new HttpMethod(context.Request.Method), target);
        if (context.Request.Headers.IfNoneMatch is { Count: > 0 } tag)
            request.Headers.TryAddWithoutValidation("If-None-Match", tag.ToString());
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach ((var name, var values) in answer.Headers.Concat(answer.Content.Headers))
        {
            if (Array.Exists(Passed, start => name.StartsWith(start, StringComparison.OrdinalIgnoreCase)))
                context.Response.Headers[name] = values.ToArray();
        }

        if (answer.StatusCode is System.Net.HttpStatusCode.NoContent or System.Net.HttpStatusCode.NotModified)
            return;
        await using var body = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        var buffer = new byte[16 * 1024];
        for (int count; (count = await body.ReadAsync(buffer, context.RequestAborted)) > 0; )
        {
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private static bool IsJson(HttpRequest request) =>
        request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) == true;
}
