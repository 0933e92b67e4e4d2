using Lockstep.Engine.Dialects;
using Lockstep.Engine.Feed;
using Lockstep.Engine.Tables;

namespace Lockstep.Engine.Sync;

/// <summary>The dialect in which a feed is read: the user's choice, the table's, or the one that the feed's URI suggests.</summary>
/// <param name="Dialect">The dialect.</param>
/// <param name="IsGuess">Whether it is only a guess, which an answer has to confirm.</param>
internal sealed record DialectChoice(DialectDescription Dialect, bool IsGuess)
{
    /// <summary>The choice for a sync; null for Lockstep's own dialects, or while nothing is known.</summary>
    /// <exception cref="TableMismatchException">The table's dialect is not the one the user chose.</exception>
    public static DialectChoice? Of(SyncOptions options, TableState state, FeedUri feed)
    {
        if (options.Foreign is { } named)
        {
            if (state.Shape is { } shape && shape.Dialect != Records.Dialect.Foreign)
            {
                throw new TableMismatchException(
                    options.Store.Description,
                    $"The table '{state.Name}' in '{options.Store.Description}' has the dialect {shape.Dialect}, not {named.Name}.",
                    $"Sync to another file with {Term.Path}, or empty this one with {Term.ClearTable}."
                );
            }

            return new DialectChoice(named.With(options.KeyFields, options.OrderBy), IsGuess: false);
        }

        if (ForeignState.Parse(state.Foreign) is { } known)
            return new DialectChoice(known.Dialect.With(options.KeyFields, options.OrderBy), IsGuess: false);
        if (!MayBeForeign(options, state) || DialectDetection.ByUri(feed.Location) is not { } name)
            return null;
        return new DialectChoice(BuiltInDialects.Find(name)!.With(options.KeyFields, options.OrderBy), IsGuess: true);
    }

    /// <summary>The choice once an answer has shown what the feed is; null if the user or the table says otherwise.</summary>
    public static DialectChoice? After(SyncOptions options, TableState state, string? name) =>
        name is not null && MayBeForeign(options, state)
            ? new DialectChoice(BuiltInDialects.Find(name)!.With(options.KeyFields, options.OrderBy), IsGuess: true)
            : null;

    private static bool MayBeForeign(SyncOptions options, TableState state) =>
        options.Dialect == Records.Dialect.Auto && state.Shape is null or { Dialect: Records.Dialect.Foreign };
}
