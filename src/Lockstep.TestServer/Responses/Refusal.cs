using System.Text;
using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Responses;

/// <summary>An answer that holds no records, with a line for whoever reads it.</summary>
internal static class Refusal
{
    public static async Task SendAsync(HttpContext context, TestRequest log, int status, string reason, CancellationToken cancellationToken)
    {
        var text = Encoding.UTF8.GetBytes(reason + "\n");
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain";
        var body = await ResponseBody.StartAsync(context, log, text.Length, cancellationToken).ConfigureAwait(false);
        body.Write(text);
        await body.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
