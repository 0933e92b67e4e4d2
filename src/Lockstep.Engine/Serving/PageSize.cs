namespace Lockstep.Engine.Serving;

/// <summary>
/// How many rows the next page is to have, so that pages are about as many bytes whatever the rows are. Threads that learn at once cost no
/// more than a page of another size.
/// </summary>
/// <param name="bytes">About how many bytes a page is to have.</param>
/// <param name="rowBytes">What a row is taken to have before there was one.</param>
internal sealed class PageSize(long bytes, int rowBytes)
{
    /// <summary>About how many bytes of rows are read at once for one client; a page ends with the row that reaches them.</summary>
    public const int Bytes = 256 * 1024;

    private const int MaxRows = 20_000;

    /// <summary>The most rows of the next page.</summary>
    public int Rows { get; private set; } = RowsOf(bytes, rowBytes);

    /// <summary>Goes by the size of the last page's rows.</summary>
    public void Learn(FeedLines lines)
    {
        // A page may be of rows of which nothing is told.
        if (lines.Bytes >= lines.Rows && lines.Rows > 0)
            Rows = RowsOf(bytes, lines.Bytes / lines.Rows);
    }

    private static int RowsOf(long bytes, long rowBytes) => (int)Math.Clamp(bytes / rowBytes, 1, MaxRows);
}
