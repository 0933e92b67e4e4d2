namespace Lockstep.Postgres.Feed;

/// <summary>How many rows a client's next page is to have, so that pages are about as many bytes whatever the rows are.</summary>
internal sealed class PageSize
{
    private const long Bytes = 2 << 20;
    private const int MaxRows = 20_000;

    /// <summary>The most rows of the next page.</summary>
    public int Rows { get; private set; } = 1000;

    /// <summary>Goes by the size of the last page's rows.</summary>
    public void Learn(FeedLines lines)
    {
        if (lines.Rows > 0)
            Rows = (int)Math.Clamp(Bytes / (lines.Bytes / lines.Rows), 16, MaxRows);
    }
}
