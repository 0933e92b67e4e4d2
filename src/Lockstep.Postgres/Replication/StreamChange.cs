namespace Lockstep.Postgres.Replication;

/// <summary>A row as the stream reports it, each value as text; kept until there are enough to be turned into JSON at once.</summary>
/// <param name="Lsn">The position of the transaction's commit.</param>
/// <param name="Txid">The transaction.</param>
/// <param name="Values">In the order of the stream's columns; only the key's if the row is gone.</param>
/// <param name="Missing">Which values the stream omitted because they had not changed; null for none.</param>
/// <param name="IsGone">Whether the row is no longer there, at least not under this key.</param>
internal sealed record StreamChange(long Lsn, long Txid, string?[] Values, bool[]? Missing, bool IsGone)
{
    /// <summary>Roughly how much memory it takes.</summary>
    public long Size
    {
        get
        {
            var size = 100L;
            foreach (var value in Values)
                size += 32 + (2 * (value?.Length ?? 0));
            return size;
        }
    }
}
