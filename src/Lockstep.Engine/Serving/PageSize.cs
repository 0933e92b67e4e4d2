namespace Lockstep.Engine.Serving;

/// <summary>
/// How many rows the next page should have, so that pages are about the same size in bytes whatever the rows are. If several threads adjust
/// it at once, the worst result is a page of another size.
/// </summary>
/// <param name="bytes">The approximate size of a page in bytes.</param>
/// <param name="rowBytes">The assumed size of a row before there was one.</param>
internal sealed class PageSize(long bytes, int rowBytes)
{
    /// <summary>How many bytes of rows are read at once for one client; a page ends with the row that reaches this.</summary>
    public const int Bytes = 256 * 1024;

    private const int MaxRows = 20_000;

    /// <summary>The most rows of the next page.</summary>
    public int Rows { get; private set; } = RowsOf(bytes, rowBytes);

    /// <summary>Adjusts to the size of the last page's rows.</summary>
    public void Learn(FeedLines lines)
    {
        // A page may consist of rows that are not reported.
        if (lines.Bytes >= lines.Rows && lines.Rows > 0)
            Rows = RowsOf(bytes, lines.Bytes / lines.Rows);
    }

    private static int RowsOf(long bytes, long rowBytes) => (int)Math.Clamp(bytes / rowBytes, 1, MaxRows);
}
