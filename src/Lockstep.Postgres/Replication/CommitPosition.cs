using Lockstep.Engine.Serving;

namespace Lockstep.Postgres.Replication;

/// <summary>
/// Where changes are placed by their commits in the server's log: everything below a place. A commit's record may begin exactly where the
/// one before it ends, so what stands at the place itself is still to come.
/// </summary>
internal sealed record CommitPosition(long Cursor) : IFeedPosition<CommitPosition>
{
    public bool IsWithin(CommitPosition other) => Cursor <= other.Cursor;

    public ReadOnlyMemory<byte> Rest(ReadOnlyMemory<byte> lines) => FeedLines.After(lines, Cursor - 1);
}
