using System.Net;
using System.Text.Json.Nodes;
using Lockstep.Engine.Serving;
using Lockstep.Serving.Hosting;
using Lockstep.Serving.Status;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving;

/// <summary>
/// The server's status page and its data as JSON: <c>state</c> and <c>latest</c>. It is read-only, needs a credential that opens feeds, and
/// shows the feeds that the credential opens. A server without credentials shows it only to this machine: everybody may read its feeds, but
/// who else does so is private.
/// </summary>
internal sealed class StatusEndpoint(ServedFeeds feeds, FeedServerOptions options, FeedAccess access, TimeProvider time)
{
    private readonly DateTimeOffset _started = time.GetUtcNow();

    public async Task HandleAsync(HttpContext context)
    {
        if (access.IsOpen && !IsFromThisMachine(context))
        {
            await Answer
                .WriteAsync(
                    context,
                    StatusCodes.Status403Forbidden,
                    "this_machine_only",
                    "A server that anyone may read shows its status only to its own machine, at a loopback address. "
                        + "Give the server credentials to see it from elsewhere."
                )
                .ConfigureAwait(false);
            return;
        }

        FeedCredential? credential = null;
        if (!access.IsOpen && (credential = await access.AuthenticateBrowserAsync(context).ConfigureAwait(false)) is null)
            return;
        if (await StatusPage.TrySendAsync(context).ConfigureAwait(false))
            return;
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            context.Response.Headers.Allow = "GET";
            await Answer
                .WriteAsync(context, StatusCodes.Status405MethodNotAllowed, "method_not_allowed", "The status can only be read.")
                .ConfigureAwait(false);
            return;
        }

        ServedFeed[] shown = [.. feeds.All.Where(feed => credential is null || credential.Opens(feed.Source.Name))];
        JsonNode? answer = context.Request.Path.Value![StatusPage.Prefix.Length..].Trim('/') switch
        {
            "state" => await StateAsync(context, shown).ConfigureAwait(false),
            "latest" => StatusJson.List(
                shown.SelectMany(feed =>
                    feed.Latest.Look().Select(record => new JsonObject { ["feed"] = feed.Source.Name, ["record"] = record })
                )
            ),
            _ => null,
        };
        if (answer is null)
        {
            await Answer
                .WriteAsync(context, StatusCodes.Status404NotFound, "not_found", "There is no such resource here, only state and latest.")
                .ConfigureAwait(false);
            return;
        }

        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        await context.Response.BodyWriter.WriteAsync(StatusJson.Write(answer), context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>
    /// The name must be one that no other site can have, because a browser can be made to believe that a foreign name is this machine.
    /// Requests forwarded by a proxy do not count as local.
    /// </summary>
    private static bool IsFromThisMachine(HttpContext context)
    {
        var host = context.Request.Host.Host.Trim('[', ']');
        return context.Connection.RemoteIpAddress is { } client
            && IPAddress.IsLoopback(client)
            && (
                host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
                || IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address)
            )
            && !context.Request.Headers.ContainsKey("X-Forwarded-For")
            && !context.Request.Headers.ContainsKey("Forwarded");
    }

    private async Task<JsonObject> StateAsync(HttpContext context, ServedFeed[] shown)
    {
        List<JsonNode> list = [];
        foreach (var feed in shown)
            list.Add(await FeedAsync(feed, context.RequestAborted).ConfigureAwait(false));
        var connected = shown
            .SelectMany(feed =>
                feed.Clients.Open.Select(client => new JsonObject
                {
                    ["number"] = client.Number,
                    ["feed"] = feed.Source.Name,
                    ["path"] = client.Path,
                    ["address"] = client.Address,
                    ["position"] = client.Position,
                    ["records"] = client.Records,
                    ["bytes"] = client.Bytes,
                    ["duration"] = client.Duration.TotalSeconds,
                    ["lag"] = client.Lag.TotalSeconds,
                })
            )
            .ToArray();
        return new JsonObject
        {
            ["kind"] = "feed",
            ["instance"] = options.InstanceName,
            ["started"] = _started,
            ["time"] = time.GetUtcNow(),
            ["feeds"] = StatusJson.List(list),
            ["clients"] = connected.Length,
            ["connected"] = StatusJson.List(connected),
            ["sent"] = new JsonObject
            {
                ["records"] = shown.Sum(feed => feed.Clients.Sent.Records),
                ["bytes"] = shown.Sum(feed => feed.Clients.Sent.Bytes),
            },
        };
    }

    private static async Task<JsonObject> FeedAsync(ServedFeed feed, CancellationToken cancellationToken)
    {
        FeedState? state = null;
        try
        {
            state = await feed.Source.GetStateAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (FeedServingException)
        {
            // The exact fault of the origin goes only to the server's own log.
        }

        return new JsonObject
        {
            ["name"] = feed.Source.Name,
            ["path"] = "/" + Uri.EscapeDataString(feed.Source.Name),
            ["readable"] = state is not null,
            ["position"] = state?.Horizon,
            ["lag"] = feed.Source.Lag.TotalSeconds,
            ["leftOut"] = feed.Source.LeftOut.Count,
            ["lastLeftOut"] = feed.Source.LeftOut.Last,
            ["clients"] = feed.Clients.Open.Count(),
            ["records"] = feed.Clients.Sent.Records,
            ["bytes"] = feed.Clients.Sent.Bytes,
        };
    }
}
