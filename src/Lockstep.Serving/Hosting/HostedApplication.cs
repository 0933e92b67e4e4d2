using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lockstep.Serving.Hosting;

/// <summary>Passes each request from Kestrel to the route of the endpoint it came through.</summary>
internal sealed class HostedApplication : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public Task ProcessRequestAsync(HttpContext context)
    {
        var connection = HostedConnection.Of(context.Features);
        var endpoint = connection.Endpoint;
        var route = endpoint.Routes.Find(context.Request.Path);
        if (connection.IsExcess)
        {
            context.Response.Headers.Connection = "close";
            if (route is not { AnySite: true })
            {
                context.Response.Headers.RetryAfter = "5";
                return Answer.WriteAsync(
                    context,
                    StatusCodes.Status503ServiceUnavailable,
                    "too_many_connections",
                    "The limit of connections, in total or for this address, is reached. Come back later."
                );
            }
        }

        if (route is not { AnySite: true } && SiteRules.HasEmptyHost(context.Request))
        {
            return Answer.WriteAsync(
                context,
                StatusCodes.Status400BadRequest,
                "empty_host",
                "The header Host is empty. Ask for this server by its address or a name."
            );
        }

        if (route is not { AnySite: true } && endpoint.Site.Refusal(context.Request, endpoint.Address) is var (error, message))
            return Answer.WriteAsync(context, StatusCodes.Status403Forbidden, error, message);
        if (CrossOrigin.Answered(context, endpoint.Site))
            return Task.CompletedTask;
        if (route is not null)
            return route.Handler(context);
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Task.CompletedTask;
    }

    public void DisposeContext(HttpContext context, Exception? exception) { }
}

/// <summary>Kestrel asks a service provider for optional parts; there are none.</summary>
internal sealed class EmptyServices : IServiceProvider
{
    public static EmptyServices Instance { get; } = new();

    public object? GetService(Type serviceType) => null;
}
