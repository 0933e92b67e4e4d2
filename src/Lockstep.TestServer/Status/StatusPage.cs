using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Status;

/// <summary>The page that shows a server in a browser: plain files within the assembly, which ask the control path for what they show.</summary>
internal static class StatusPage
{
    private static readonly Dictionary<string, (string Type, byte[] Content)> Files = new(StringComparer.Ordinal)
    {
        [""] = ("text/html; charset=utf-8", Load("index.html")),
        ["status.css"] = ("text/css; charset=utf-8", Load("status.css")),
        ["status.js"] = ("text/javascript; charset=utf-8", Load("status.js")),
    };

    /// <summary>Whether a path below the control path is one of the page's files.</summary>
    public static bool Has(string path) => Files.ContainsKey(path);

    /// <summary>Answers a GET for one of them.</summary>
    public static async Task SendAsync(HttpContext context, string path)
    {
        (string type, byte[] content) = Files[path];
        HttpResponse response = context.Response;
        response.ContentType = type;
        response.ContentLength = content.Length;
        response.Headers.CacheControl = "no-cache";
        response.Headers.XContentTypeOptions = "nosniff";
        // Records come from anywhere: whatever one of them says, nothing of it is run, and no other page shows this one within itself.
        response.Headers.ContentSecurityPolicy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.BodyWriter.WriteAsync(content, context.RequestAborted).ConfigureAwait(false);
    }

    private static byte[] Load(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("Lockstep.TestServer.Status." + name)!;
        using MemoryStream content = new();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
