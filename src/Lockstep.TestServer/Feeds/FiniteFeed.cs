using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>The reference's finite feed: two records whatever the cursor is, a newline after each, then the end.</summary>
internal sealed class FiniteFeed : IFeed
{
    private static readonly byte[][] Records =
    [
        [.. """{"id":123,"updated_at":999,"deleted_at":null,"ip":"0.0.0.0","port":1234}"""u8, (byte)'\n'],
        [.. """{"id":124,"updated_at":1000,"deleted_at":1000,"ip":"0.0.0.0","port":1234}"""u8, (byte)'\n'],
    ];

    public string Path => "/servers/";

    public async Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken)
    {
        if (!RequestCursor.TryRead(context.Request, Path, out _))
        {
            await Refusal
                .SendAsync(context, log, StatusCodes.Status404NotFound, $"The feed is at {Path}", cancellationToken)
                .ConfigureAwait(false);
            return;
        }
        context.Response.ContentType = "text/plain";
        var body = await ResponseBody
            .StartAsync(context, log, Records.Sum(record => record.Length), cancellationToken)
            .ConfigureAwait(false);
        foreach (var record in Records)
            body.Write(record, records: 1);
        await body.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
