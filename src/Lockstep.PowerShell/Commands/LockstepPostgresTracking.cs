using System.Management.Automation;
using Lockstep.Pipeline;
using Lockstep.Servers;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that make tables of PostgreSQL tell their changes. With -WhatIf they print the SQL.</summary>
public abstract class PostgresTrackingCmdlet : LockstepCmdlet
{
    private string? _current;

    private protected PostgresTrackingCmdlet() { }

    /// <summary>
    /// The database: a connection string of Npgsql, or a URI like <c>postgres://user:password@host/database</c>. The user must own the
    /// tables.
    /// </summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string ConnectionString { get; set; } = "";

    /// <summary>The tables.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    public string[] Table { get; set; } = [];

    /// <summary>The schema of the tables; by default they are looked up along the user's search path.</summary>
    [Parameter]
    public string? Schema { get; set; }

    private protected override object? ErrorTarget => _current;

    private protected void ForEachTable(bool? wake, string action)
    {
        foreach (var table in Table)
        {
            _current = table;
            Attempt(() => Change(table, wake, action));
        }
    }

    private void Change(string table, bool? wake, string action)
    {
        var change = TrackingChange.Plan(ConnectionString, table, Schema, wake, StopToken);
        if (change.Warning is { } warning)
            WriteWarning(warning);

        if (change.IsNothing)
            WriteVerbose($"{change.Table}: there is nothing to do.");
        else if (ShouldProcess(change.Script, $"{action} {change.Table}?", action))
            change.Run(StopToken);
    }
}

/// <summary>Makes tables of PostgreSQL tell their changes: a column txid kept by triggers, and tombstones for what is deleted.</summary>
[Cmdlet(VerbsLifecycle.Enable, "LockstepPostgresTracking", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
public sealed class EnableLockstepPostgresTrackingCommand : PostgresTrackingCmdlet
{
    /// <summary>
    /// Does not notify servers of changes, which they then see at their next poll. A transaction that notifies cannot be prepared for a
    /// two-phase commit.
    /// </summary>
    [Parameter]
    public SwitchParameter NoNotify { get; set; }

    private protected override void Process() => ForEachTable(!NoNotify, "Track changes");
}

/// <summary>
/// Takes away what <c>Enable-LockstepPostgresTracking</c> added to tables, tombstones included; or what a server by replication has left.
/// </summary>
[Cmdlet(VerbsLifecycle.Disable, "LockstepPostgresTracking", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
public sealed class DisableLockstepPostgresTrackingCommand : PostgresTrackingCmdlet
{
    /// <summary>
    /// Replication takes away the slot and the publication of a server that is stopped. A slot that nobody reads keeps the database from
    /// cutting its log.
    /// </summary>
    [Parameter]
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
