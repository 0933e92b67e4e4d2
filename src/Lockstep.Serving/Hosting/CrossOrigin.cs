using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Hosting;

/// <summary>
/// Lets pages of the listed sites read the answers (CORS, fetch.spec.whatwg.org): otherwise a browser sends the request, but withholds the
/// answer from the page. Never with the browser's own credentials: a page that needs a credential sends it itself.
/// </summary>
internal static class CrossOrigin
{
    /// <summary>The headers that a page may see beyond the default.</summary>
    private const string Exposed =
        "Lockstep-Feed, Lockstep-Key, Lockstep-Caught-Up, Instance-Name, Link, ETag, Retry-After, WWW-Authenticate";

    /// <summary>How long a browser may cache a preflight, in seconds.</summary>
    private const string Age = "600";

    /// <summary>Adds to the answer who may read it; true if that is the whole answer, to a preflight.</summary>
    public static bool Answered(HttpContext context, SiteRules site)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        if (site.AllowedOrigins.Count == 0)
            return false;

        // Even if no page sent the request: a cache must not give that answer to one.
        headers.Append("Vary", "Origin");
        if (!site.Lists(request.Headers.Origin))
            return false;
        headers.AccessControlAllowOrigin = request.Headers.Origin;
        headers.AccessControlExposeHeaders = Exposed;
        if (!HttpMethods.IsOptions(request.Method) || request.Headers.AccessControlRequestMethod.Count == 0)
            return false;
        headers.AccessControlAllowMethods = request.Headers.AccessControlRequestMethod;
        if (request.Headers.AccessControlRequestHeaders is { Count: > 0 } asked)
            headers.AccessControlAllowHeaders = asked;
        headers.AccessControlMaxAge = Age;
        headers.Append("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }
}
