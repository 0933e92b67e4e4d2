using Lockstep.TestServer.Requests;
using Microsoft.AspNetCore.Http;

namespace Lockstep.TestServer.Feeds;

/// <summary>Something that answers feed requests. Called on pool threads, for many requests at once.</summary>
internal interface IFeed
{
    /// <summary>Where a client is to be pointed, relative to the server's root.</summary>
    string Path { get; }

    /// <summary>Answers one request; the task ends with the response.</summary>
    /// <param name="context">The request and its response.</param>
    /// <param name="log">Its entry in the request log.</param>
    /// <param name="cancellationToken">The client went away, or the server stops.</param>
    Task ServeAsync(HttpContext context, TestRequest log, CancellationToken cancellationToken);
}
