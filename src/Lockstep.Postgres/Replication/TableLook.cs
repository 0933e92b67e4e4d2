using Lockstep.Engine.Records;
using Lockstep.Postgres.Feed;
using Npgsql;

namespace Lockstep.Postgres.Replication;

/// <summary>A table's state when a stream is about to carry it.</summary>
/// <param name="Table">The table.</param>
/// <param name="Stamp">What the database shows.</param>
/// <param name="Why">Why its log cannot continue: null if it can, empty if there is nothing to continue from.</param>
internal sealed record TableLook(StreamedTable Table, FeedStamp Stamp, string? Why)
{
    /// <summary>Whether the log continues.</summary>
    public bool GoesOn => Why is null;

    /// <summary>Examines a table, and why its log cannot continue; null if an error has made it drop out of the stream.</summary>
    public static async Task<TableLook?> LookAsync(
        StreamMembers members,
        NpgsqlConnection connection,
        ReplicationNames names,
        ServerState server,
        long confirmed,
        StreamedTable table,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var stamp = await table.Database.LookAsync(connection, cancellationToken).ConfigureAwait(false);
            if (
                await ReplicationSetup.IsPublishedAsync(connection, names, stamp.Table, cancellationToken).ConfigureAwait(false) is not true
            )
            {
                // It was removed from the publication, or is not the table that was added to it.
                members.Remove(table);
                table.FellOut(null);
                return null;
            }

            var why = await WhyStartOverAsync(names, server, confirmed, table, stamp, cancellationToken).ConfigureAwait(false);
            return new TableLook(table, stamp, why);
        }
        catch (Exception e)
            when (e is Engine.LockstepException or PostgresException && connection.FullState.HasFlag(System.Data.ConnectionState.Open))
        {
            members.Remove(table);
            table.FellOut(e);
            return null;
        }
    }

    /// <summary>Null if the log can continue; empty if there is nothing to continue from.</summary>
    private static async Task<string?> WhyStartOverAsync(
        ReplicationNames names,
        ServerState server,
        long confirmed,
        StreamedTable table,
        FeedStamp stamp,
        CancellationToken cancellationToken
    )
    {
        var log = table.Log;
        if (log.Epoch is not { } epoch || log.Slot != names.Slot)
            return "";
        var (told, now) = (epoch.Timeline, FeedIdentity.TimelineOf(stamp.Identity) ?? 0);
        if (server.Slot is not { } slot)
        {
            return told == now
                ? $"the replication slot {names.Slot} is gone from the server"
                : $"another server has taken over, to which the replication slot {names.Slot} was not synchronized";
        }

        if (!slot.IsUsable)
            return $"the server no longer has what the replication slot {names.Slot} needs";
        if (!table.IsPublished)
            return $"the publication {names.Publication} did not publish the table";
        if (Math.Max(slot.Confirmed, confirmed) > log.Position)
            return $"the replication slot {names.Slot} was advanced by another program";
        if (server.End < log.Position || !FeedIdentity.IsSameDatabase(epoch.Table, stamp.Identity))
            return "another server answers, or this one was restored";
        if (told == now)
            return null;

        // Everything that every snapshot of the stretch shows must also have reached the new server, so that the ids of those transactions
        // are not issued again.
        var ends = epoch.Base.Mark is { } shown ? Math.Max(shown.Place, log.Position) : long.MaxValue;
        return await table.History.HasAsync(new FeedMark(told, ends), now, cancellationToken).ConfigureAwait(false)
            ? null
            : "another server has taken over that had not received everything that was served";
    }

    /// <summary>Tells the operator why clients of some tables start over.</summary>
    public static void Report(IEnumerable<TableLook> found)
    {
        foreach (var (table, _, why) in found)
        {
            if (why is { Length: > 0 })
                PostgresLog.Resync(table.Options.Logger, table.Options.Table, why);
        }
    }
}
