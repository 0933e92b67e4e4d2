using Lockstep.Engine.Serving;
using Lockstep.Engine.Tables;
using Microsoft.Extensions.Logging;

namespace Lockstep.Cli.Serving;

/// <summary>A table file as a feed.</summary>
internal static class FileFeed
{
    /// <summary>Starts the table in a file, if it is one of those requested.</summary>
    /// <param name="file">The file.</param>
    /// <param name="tables">The requested tables; none for any.</param>
    /// <param name="log">Receives what an operator should know.</param>
    /// <param name="maximumRowBytes">The longest row, in bytes.</param>
    /// <param name="dialect">The dialect in which it is served.</param>
    public static Func<CancellationToken, Task<IFeedSource>> At(
        string file,
        string[] tables,
        ILogger log,
        int maximumRowBytes = TableFeedOptions.DefaultMaximumRowBytes,
        ServedDialect dialect = ServedDialect.Transaction
    ) =>
        async token =>
        {
            var path = Path.GetFullPath(file);
            var name = new Table(path).GetInfo().Name;
            if (tables.Length > 0 && !tables.Contains(name, StringComparer.Ordinal))
                throw TableMismatchException.OfName(path, name, string.Join(", ", tables));

            return await TableFeed
                .StartAsync(
                    new TableFeedOptions
                    {
                        Path = path,
                        Dialect = dialect,
                        Logger = log,
                        MaximumRowBytes = maximumRowBytes,
                    },
                    cancellationToken: token
                )
                .ConfigureAwait(false);
        };
}
