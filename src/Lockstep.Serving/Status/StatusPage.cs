using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Lockstep.Serving.Status;

/// <summary>
/// The page that shows a server in a browser, the same for test servers and feed servers: plain files in the assembly, which request JSON
/// beside them.
/// </summary>
internal static class StatusPage
{
    /// <summary>Its path, on every server.</summary>
    public const string Prefix = "/_lockstep";

    private static readonly Dictionary<string, (string Type, byte[] Content)> Files = new(StringComparer.Ordinal)
    {
        [""] = ("text/html; charset=utf-8", Load("index.html")),
        ["status.css"] = ("text/css; charset=utf-8", Load("status.css")),
        ["status.js"] = ("text/javascript; charset=utf-8", Load("status.js")),
        ["page.js"] = ("text/javascript; charset=utf-8", Load("page.js")),
        ["controls.js"] = ("text/javascript; charset=utf-8", Load("controls.js")),
    };

    /// <summary>Answers a GET for one of the page's files; false if the request is for something else.</summary>
    public static async Task<bool> TrySendAsync(HttpContext context)
    {
        (var request, var response) = (context.Request, context.Response);
        var path = request.Path.Value![Prefix.Length..];
        if (!Files.TryGetValue(path.Trim('/'), out var file) || !(HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)))
            return false;
        if (path.Length == 0)
        {
            // The page's links are relative, so its path must end with a slash.
            response.Redirect(Prefix + "/", permanent: false);
            return true;
        }

        response.ContentType = file.Type;
        response.ContentLength = file.Content.Length;
        response.Headers.CacheControl = "no-cache";
        response.Headers.XContentTypeOptions = "nosniff";
        // Records come from anywhere: nothing in them may run, and no other page may embed this one.
        response.Headers.ContentSecurityPolicy =
            "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        if (!HttpMethods.IsHead(request.Method))
            await response.BodyWriter.WriteAsync(file.Content, context.RequestAborted).ConfigureAwait(false);
        return true;
    }

    private static byte[] Load(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Lockstep.Serving.Status." + name)!;
        using MemoryStream content = new();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
