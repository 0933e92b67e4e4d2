using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Responses;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>Something that answers feed requests. Called on pool threads, for many requests at once.</summary>
internal interface IFeed
{
    /// <summary>Where to send clients, relative to the server's root.</summary>
    string Path { get; }

    /// <summary>The field by which it orders its records; null if their arrival is their order.</summary>
    string? OrderField => "updated_at";

    /// <summary>Whether a client can tell from its answers that it was recreated.</summary>
    bool HasIdentity => true;

    /// <summary>Whether it sends changes after a cursor, of which a fault can have some sent again.</summary>
    bool HasChanges => false;

    /// <summary>Whether its clients go on from a cursor.</summary>
    bool HasCursor => true;

    /// <summary>The cursor of a request; null if it has none.</summary>
    string? CursorOf(HttpRequest request) => RequestCursor.Of(request);

    /// <summary>Answers one request; the task ends with the response.</summary>
    /// <param name="context">The request and its response.</param>
    /// <param name="log">Its entry in the request log.</param>
    /// <param name="cancellationToken">The client went away, or the server stops.</param>
    Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken);

    /// <summary>Answers a request whose cursor should be too old.</summary>
    Task ExpireAsync(HttpContext context, TestRequest log, ExpiryForm form, CancellationToken cancellationToken) =>
        Refusal.SendAsync(context, log, StatusCodes.Status410Gone, "This cursor is too old. Start over with cursor 0.", cancellationToken);

    /// <summary>Serves a request under another identity, as a recreated feed would.</summary>
    /// <returns>False if the feed has no identity of its own.</returns>
    bool TakeIdentity(HttpContext context, string identity) => false;
}
