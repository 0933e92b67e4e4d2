using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// A place among changes in the order of their commits in the server's log: everything below it. A commit's record may begin exactly where
/// the previous one ends, so what is at the place itself is still to come.
/// </summary>
internal sealed record CommitPosition(long Cursor) : IFeedPosition<CommitPosition>
{
    public bool IsWithin(CommitPosition other) => Cursor <= other.Cursor;

    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => FeedLines.After(lines, Cursor - 1);
}
