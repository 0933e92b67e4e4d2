using System.Text.Json;
using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;

namespace Lockstep.Engine.Sync;

/// <summary>The request before a round, if the dialect has one: which feed the server has, and how far it has got.</summary>
internal static class FeedInquiry
{
    /// <summary>Asks the server which feed it has and how far it has got, if the dialect has a request for that.</summary>
    /// <returns>Whether it is not, or no longer, the feed that the table knows, so that the whole set is needed.</returns>
    public static async Task<bool> AskAsync(DialectSession session, bool wantsWhole, CancellationToken cancellationToken)
    {
        session.NewestCursor = null;
        if (session.Dialect.Begin is not { } rules)
            return false;
        using var response = await session
            .Requests.SendAsync(
                rules,
                session.Requests.Address(rules, null),
                null,
                null,
                session.Client.ConnectionTimeout,
                cancellationToken
            )
            .ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
        {
            // A user who may read the changes may not be allowed to read the rest; then there is no identity to compare.
            if ((int)response.StatusCode is 403 or 404 or 405)
                return false;
            using var error = await ErrorBody.ReadAsync(session.Client, response, cancellationToken).ConfigureAwait(false);
            throw session.RefusalOf(response, error);
        }

        // A truncated answer may have named another feed.
        using var body = await ErrorBody.ReadAsync(session.Client, response, cancellationToken).ConfigureAwait(false);
        if (body.Document is null)
            throw new FeedCutException(session.Client.Uri, "what it says about itself was cut off, or is not JSON.");
        var places = new ResponsePlaces(response, body.Root);
        if (body.Root is { ValueKind: JsonValueKind.Object } said && said.TryGetProperty("error", out _))
            throw session.Requests.Wrong("its description of itself is an error");
        session.NewestCursor = rules.Cursor.Select(place => places.Find(place)?.Text).FirstOrDefault(text => text is not null);
        var identity = Identity.Of(rules.Identity, places);
        var known = session.Requests.Identity;
        session.Requests.Identity = identity ?? known;
        if (session.State.Cursor.IsStart || wantsWhole)
            return false;
        // A cursor ahead of the server gets empty answers forever: the server was restored, or is another one (D16).
        if ((known is null || identity is null || known == identity) && !IsAhead(session.State.Cursor, session.NewestCursor))
            return false;
        session.IsAnotherFeed = true;
        await session
            .SayAsync(
                FeedEventKind.Resync,
                "The feed is not the one that the table knows; the whole set is fetched again.",
                cancellationToken
            )
            .ConfigureAwait(false);
        return true;
    }

    /// <summary>Whether a cursor is above the server's newest; only numbers can be compared.</summary>
    private static bool IsAhead(Cursor cursor, string? newest) =>
        newest is not null
        && cursor.IsNumber
        && Cursor.Parse(newest) is var there
        && (there.IsStart || there.IsNumber)
        && Cursor.Compare(cursor, there) > 0;
}
