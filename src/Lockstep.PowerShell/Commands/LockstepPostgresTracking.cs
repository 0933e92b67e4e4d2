using System.Management.Automation;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Servers;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that make PostgreSQL tables report their changes. With -WhatIf they print the SQL.</summary>
public abstract class PostgresTrackingCmdlet : LockstepCmdlet
{
    private string? _current;

    private protected PostgresTrackingCmdlet() { }

    /// <summary>
    /// The database: an Npgsql connection string, or a URI like <c>postgres://user:password@host/database</c>. The user must own the
    /// tables.
    /// </summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string ConnectionString { get; set; } = "";

    /// <summary>The tables.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    public string[] Table { get; set; } = [];

    /// <summary>The schema of the tables; by default they are found along the user's search path.</summary>
    [Parameter]
    public string? Schema { get; set; }

    private protected override object? ErrorTarget => _current;

    private protected void ForEachTable(TrackingWish? wish, string action)
    {
        foreach (var table in Table)
        {
            _current = table;
            Attempt(() => Change(table, wish, action));
        }
    }

    private void Change(string table, TrackingWish? wish, string action)
    {
        var change = TrackingChange.Plan(ConnectionString, table, Schema, wish, StopToken);
        if (change.Warning is { } warning)
            WriteWarning(warning);

        if (change.IsNothing)
            WriteVerbose($"{change.Table}: there is nothing to do.");
        else if (ShouldProcess(change.Script, $"{action} {change.Table}?", action))
            change.Run(StopToken);
    }
}

/// <summary>Tracks changes of PostgreSQL tables: with a column txid that triggers maintain, and tombstones for deleted rows.</summary>
[Cmdlet(VerbsLifecycle.Enable, "LockstepPostgresTracking", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class EnableLockstepPostgresTrackingCommand : PostgresTrackingCmdlet
{
    /// <summary>
    /// Notifies servers of changes, so that they look at once. Writers then wait for each other at commit, and a transaction that notifies
    /// cannot be prepared for a two-phase commit. Without it servers look often while changes keep coming.
    /// </summary>
    [Parameter]
    public SwitchParameter Notify { get; set; }

    /// <summary>Stops notifying servers of changes of a table that was tracked with -Notify, or by an earlier version.</summary>
    [Parameter]
    public SwitchParameter NoNotify { get; set; }

    /// <summary>
    /// Treats rows whose boolean column deleted is true as deleted. Otherwise the column is data like any other; -SoftDelete:$false
    /// restores that for a table that an earlier version tracks.
    /// </summary>
    [Parameter]
    public SwitchParameter SoftDelete { get; set; }

    private protected override void Process()
    {
        if (Notify && NoNotify)
            throw new PSArgumentException("-Notify and -NoNotify exclude each other.");
        ForEachTable(
            new TrackingWish(
                Notify ? true
                    : NoNotify ? false
                    : null,
                MyInvocation.BoundParameters.ContainsKey(nameof(SoftDelete)) ? SoftDelete.IsPresent : null
            ),
            "Track changes"
        );
    }
}

/// <summary>
/// Removes what <c>Enable-LockstepPostgresTracking</c> added to tables, including tombstones; or what a replicating server left behind.
/// </summary>
[Cmdlet(VerbsLifecycle.Disable, "LockstepPostgresTracking", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class DisableLockstepPostgresTrackingCommand : PostgresTrackingCmdlet
{
    /// <summary>
    /// Replication removes the slot and the publication of a stopped server. An unread slot keeps the database from truncating its log.
    /// </summary>
    [Parameter]
    [OneOf(typeof(ServerMode))]
    public ServerMode Mode { get; set; }

    private protected override void Process()
    {
        if (Mode == ServerMode.Polling)
        {
            ForEachTable(null, "No longer track changes");
            return;
        }

        foreach (var table in Table)
        {
            Attempt(() =>
            {
                if (ShouldProcess(table, "Drop the replication slot and publication"))
                    TrackingChange.RemoveReplication(ConnectionString, table, Schema, StopToken);
            });
        }
    }
}

/// <summary>Forgets old deletions of tracked PostgreSQL tables. A client that was away for longer must resync, and is told so.</summary>
[Cmdlet(VerbsCommon.Clear, "LockstepPostgresTombstone", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class ClearLockstepPostgresTombstoneCommand : PostgresTrackingCmdlet
{
    /// <summary>The least age: longer than a client may stay away and still continue from its cursor.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    [Seconds]
    public TimeSpan OlderThan { get; set; }

    private protected override void Process()
    {
        foreach (var table in Table)
        {
            Attempt(() =>
            {
                if (!ShouldProcess(table, $"Forget what was deleted more than {OlderThan} ago"))
                    return;
                var cleared = TrackingChange.ClearTombstones(ConnectionString, table, Schema, OlderThan, StopToken);
                WriteVerbose($"Forgot {cleared} deleted rows of {table}.");
            });
        }
    }
}
