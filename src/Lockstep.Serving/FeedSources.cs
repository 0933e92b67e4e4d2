using Lockstep.Engine.Serving;

namespace Lockstep.Serving;

/// <summary>Starts the sources that a <see cref="FeedServer"/> is to serve.</summary>
public static class FeedSources
{
    /// <summary>Starts sources one after the other; if one cannot start, those before it are disposed.</summary>
    /// <param name="starts">Starts each source.</param>
    /// <param name="cancellationToken">Cancels the start.</param>
    /// <returns>The sources, for the server to own.</returns>
    public static async Task<IReadOnlyList<IFeedSource>> StartAsync(
        IEnumerable<Func<CancellationToken, Task<IFeedSource>>> starts,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(starts);
        List<IFeedSource> sources = [];
        try
        {
            foreach (var start in starts)
                sources.Add(await start(cancellationToken).ConfigureAwait(false));
            return sources;
        }
        catch
        {
            foreach (var source in sources)
                await source.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
