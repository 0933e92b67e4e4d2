using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Records;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>Whether a table and a feed belong together, and what each knows about the records' shape.</summary>
internal static class TableBinding
{
    /// <exception cref="TableMismatchException">They do not.</exception>
    public static void Check(TableState state, SyncOptions options, FeedUri? feed)
    {
        var path = options.Store.Description;
        Remedy advice = $"Sync to another file with {Term.Path}, or empty this one with {Term.ClearTable}.";
        if (options.TableName is { } name && name != state.Name)
            throw TableMismatchException.OfName(path, state.Name, name);

        var isForeign = state.Foreign is not null;
        if (feed is not null && IsOfAnotherFeed(state, feed) && !options.Rebind && !MayHaveMoved(state, feed))
            throw OfAnotherFeed(state, options, feed);

        if (feed is not null && IsOfAnotherQuery(state, options, feed))
        {
            throw new TableMismatchException(
                path,
                $"The table '{state.Name}' in '{path}' was filled by another query than this one: what it has up to its cursor would "
                    + $"stay as it is.",
                $"Fetch the whole set by the new query with {Term.Resync}, or sync to another table with {Term.Path}. If both ask for the "
                    + $"same records, resume from the cursor with {Term.Rebind}."
            );
        }

        if (state.Shape is not { } shape)
            return;
        if (isForeign && feed is null)
        {
            throw new TableMismatchException(
                path,
                $"The table '{state.Name}' in '{path}' is filled by a feed of another server; nothing can be imported into it.",
                advice
            );
        }

        if (options.Dialect != Dialect.Auto && options.Dialect != shape.Dialect)
        {
            throw new TableMismatchException(
                path,
                $"The table '{state.Name}' in '{path}' has the dialect {shape.Dialect}, not {options.Dialect}.",
                advice
            );
        }

        if (options.OrderBy is { } order && order != shape.OrderField && shape.Dialect == Dialect.Record)
        {
            throw new TableMismatchException(
                path,
                $"The table '{state.Name}' in '{path}' is ordered by '{shape.OrderField}', not by '{order}'.",
                advice
            );
        }

        if (KeyFieldsOf(state, options) is { } keys && !keys.SequenceEqual(shape.KeyFields))
        {
            throw new TableMismatchException(
                path,
                $"The key of the table '{state.Name}' in '{path}' is '{string.Join(", ", shape.KeyFields)}', not "
                    + $"'{string.Join(", ", keys)}'.",
                advice
            );
        }
    }

    /// <summary>The key that the user says, by itself or by a dialect, which may add that of a parent; null for none.</summary>
    private static IReadOnlyList<string>? KeyFieldsOf(TableState state, SyncOptions options)
    {
        var dialect = options.Foreign ?? ForeignState.Parse(state.Foreign)?.Dialect;
        if (dialect is null || (options.Foreign is null && options.KeyFields is null))
            return options.KeyFields;
        return [.. dialect.With(options.KeyFields, options.OrderBy).Snapshot.Key.Select(key => key.Field)];
    }

    /// <summary>Whether the query options have changed, in a sync that would continue from the cursor.</summary>
    private static bool IsOfAnotherQuery(TableState state, SyncOptions options, FeedUri feed) =>
        !options.Rebind
        && !options.Resync
        && !options.Repair
        && state.IsOfAnotherQuery(options.Feed.Asked)
        // At another address, another server's whole set is fetched again in any case.
        && !(state.Foreign is not null && IsOfAnotherFeed(state, feed));

    /// <summary>Whether the table belongs to a feed at another address.</summary>
    public static bool IsOfAnotherFeed(TableState state, FeedUri feed) =>
        // An earlier Lockstep may have kept an option that is known as a secret today.
        state.Feed
            is { } stored
        && stored != feed.Display
        && !(
            Uri.TryCreate(stored, UriKind.Absolute, out var uri)
            && uri.Scheme is "http" or "https"
            && FeedUri.Parse(uri).Display == feed.Display
        );

    /// <summary>Checks the identity that a feed names against the table's, if the table was filled from another address.</summary>
    /// <returns>A warning if the table is bound to the address from here on; null if it was already.</returns>
    /// <exception cref="TableMismatchException">
    /// It is not the same feed, and the user has not allowed it to take over the table.
    /// </exception>
    public static string? CheckMove(TableState state, SyncOptions options, FeedUri feed, string? identity)
    {
        if (!IsOfAnotherFeed(state, feed))
            return null;
        var isSame = state.FeedIdentity is { } known && identity is not null && FeedMark.IsOf(known, identity);
        if (!isSame && !options.Rebind)
            throw OfAnotherFeed(state, options, feed);
        return isSame
            ? $"The feed {state.Feed} has moved: the table '{state.Name}' now belongs to {feed.Display}, which names "
                + $"the same identity."
            : $"The table '{state.Name}' belonged to the feed {state.Feed}; as requested, it now belongs to {feed.Display}.";
    }

    /// <summary>The error for a table that belongs to another feed.</summary>
    public static TableMismatchException OfAnotherFeed(TableState state, SyncOptions options, FeedUri feed)
    {
        var path = options.Store.Description;
        return new TableMismatchException(
            path,
            $"The table '{state.Name}' in '{path}' belongs to the feed {state.Feed}, not to {feed.Display}.",
            $"If it is the same feed at a new address, bind the table to it with {Term.Rebind}; else sync to another file "
                + $"with {Term.Path}, or empty this one with {Term.ClearTable}."
        );
    }

    /// <summary>Whether the feed may be the same one at another host or port, which its identity will show.</summary>
    private static bool MayHaveMoved(TableState state, FeedUri feed) =>
        state.Foreign is not null
            // Another server's feed may be requested with other options: its whole set is then fetched again.
            ? state.Feed!.Split('?')[0] == feed.Display.Split('?')[0]
            : state.FeedIdentity is not null
                && Uri.TryCreate(state.Feed, UriKind.Absolute, out var stored)
                && Uri.TryCreate(feed.Display, UriKind.Absolute, out var now)
                && stored.PathAndQuery == now.PathAndQuery;

    /// <summary>Checks the key that a feed announces against the table's.</summary>
    /// <returns>A warning if the user has named another key, which takes precedence.</returns>
    /// <exception cref="TableMismatchException">The table was filled with another key, which the user has not named.</exception>
    public static string? CheckKey(RecordShape? shape, SyncOptions options, IReadOnlyList<string> announced)
    {
        if ((options.KeyFields ?? shape?.KeyFields) is not { } key || key.SequenceEqual(announced))
            return null;
        if (options.KeyFields is not null)
            return $"The feed says that its key is '{string.Join(", ", announced)}'; '{string.Join(", ", key)}' is used, as requested.";
        var path = options.Store.Description;
        throw new TableMismatchException(
            path,
            $"The table in '{path}' was filled with the key '{string.Join(", ", key)}', but the feed says that its key is "
                + $"'{string.Join(", ", announced)}': records that differ may have become one.",
            $"Empty the table with {Term.ClearTable} and sync again, or keep its key by naming it with {Term.Key}."
        );
    }

    public static RecordParser CreateParser(TableState state, SyncOptions options, bool isImport) =>
        state.Shape is { } shape
            ? new RecordParser(shape, state.Fields)
            : new RecordParser(
                new RecordShapeRequest(options.Dialect, options.KeyFields, options.OrderBy ?? WireNames.DefaultOrderField, isImport)
            );
}
