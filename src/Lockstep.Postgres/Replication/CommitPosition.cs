using Lockstep.Engine.Records;
using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A position among changes in commit order in the server's log; it covers everything below it. A commit's record may start exactly where
/// the previous one ends, so what is at the position itself is still to come.
/// </summary>
/// <param name="Cursor">The position.</param>
/// <param name="Timeline">The server's timeline; 0 if unknown.</param>
internal sealed record CommitPosition(long Cursor, long Timeline = 0) : IFeedPosition<CommitPosition>
{
    public FeedMark? Mark => Timeline > 0 ? new FeedMark(Timeline, Cursor) : null;

    public bool IsWithin(CommitPosition other) => Cursor <= other.Cursor;

    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => FeedLines.After(lines, Cursor - 1);
}
