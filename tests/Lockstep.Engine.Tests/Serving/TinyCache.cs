using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lockstep.Engine.Tests.Serving;

/// <summary>
/// A caching proxy in front of a server: requests for one address share one request to the server, and what may be kept is kept for good,
/// which no real cache does: the oldest answer possible must do no harm.
/// </summary>
internal sealed class TinyCache : IAsyncDisposable
{
    private static readonly string[] Passed = ["Lockstep-Feed", "Lockstep-Follow", "Lockstep-Mark", "Lockstep-Resume", "Accept"];
    private static readonly string[] Dropped = ["Transfer-Encoding", "Connection", "Date", "Server"];
    private readonly ConcurrentDictionary<string, Lazy<Task<Kept?>>> _answers = new(StringComparer.Ordinal);
    private readonly HttpClient _http;
    private readonly WebApplication _app;
    private int _shared;

    private TinyCache(Uri origin)
    {
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = origin };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public Uri Uri { get; private set; } = new("http://localhost/");

    /// <summary>How many requests were answered by what another one brought.</summary>
    public int Shared => Volatile.Read(ref _shared);

    public static async Task<TinyCache> StartAsync(Uri origin)
    {
        var cache = new TinyCache(origin);
        await cache._app.StartAsync(TestContext.Current.CancellationToken);
        cache.Uri = new Uri(cache._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return cache;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var address = context.Request.Path.Value + context.Request.QueryString;
        if (!context.Request.Path.Value!.EndsWith("/updates", StringComparison.Ordinal))
        {
            await PassAsync(context, address);
            return;
        }

        while (true)
        {
            var isMine = false;
            var answer = _answers.GetOrAdd(
                address,
                _ =>
                {
                    isMine = true;
                    return new Lazy<Task<Kept?>>(() => FetchAsync(address));
                }
            );
            if (await answer.Value.WaitAsync(context.RequestAborted) is { } kept)
            {
                if (!isMine)
                    Interlocked.Increment(ref _shared);
                if (!kept.MayBeKept)
                    _answers.TryRemove(new(address, answer));
                context.Response.StatusCode = kept.Status;
                foreach ((var name, var value) in kept.Headers)
                    context.Response.Headers[name] = value;
                await context.Response.Body.WriteAsync(kept.Body, context.RequestAborted);
                return;
            }

            _answers.TryRemove(new(address, answer));
            if (isMine)
            {
                context.Response.StatusCode = StatusCodes.Status502BadGateway;
                return;
            }
        }
    }

    /// <summary>Null if the server cut it off.</summary>
    private async Task<Kept?> FetchAsync(string address)
    {
        try
        {
            using var response = await _http.GetAsync(address);
            var body = await response.Content.ReadAsByteArrayAsync();
            return new Kept((int)response.StatusCode, HeadersOf(response), body, response.Headers.CacheControl?.Public == true);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    private async Task PassAsync(HttpContext context, string address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        foreach (var name in Passed.Where(context.Request.Headers.ContainsKey))
            request.Headers.TryAddWithoutValidation(name, context.Request.Headers[name].ToString());
        try
        {
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
            context.Response.StatusCode = (int)response.StatusCode;
            foreach ((var name, var value) in HeadersOf(response))
                context.Response.Headers[name] = value;
            await context.Response.StartAsync(context.RequestAborted);
            await using var body = await response.Content.ReadAsStreamAsync(context.RequestAborted);
            var buffer = new byte[16 * 1024];
            for (int count; (count = await body.ReadAsync(buffer, context.RequestAborted)) > 0; )
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, count), context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            context.Abort();
        }
    }

    private static List<(string Name, string Value)> HeadersOf(HttpResponseMessage response) =>
        [
            .. response
                .Headers.Concat(response.Content.Headers)
                .Where(header => !Dropped.Contains(header.Key))
                .Select(header => (header.Key, string.Join(", ", header.Value))),
        ];

    private sealed record Kept(int Status, List<(string Name, string Value)> Headers, byte[] Body, bool MayBeKept);
}
