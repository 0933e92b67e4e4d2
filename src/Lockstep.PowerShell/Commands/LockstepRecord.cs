using System.Management.Automation;
using Lockstep.Bases;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Engine.Tables;
using Lockstep.Records;

namespace Lockstep.Commands;

/// <summary>Reads the records of tables.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepRecord", DefaultParameterSetName = ByTable, SupportsPaging = true)]
[OutputType("Lockstep.Record", "System.String", "Lockstep.QuarantinedRecord")]
public sealed class GetLockstepRecordCommand : FilteredTableCmdlet
{
    private protected override bool PatternMayMatchNone => true;

    /// <summary>
    /// The keys of the records; an array for each if the key has several fields. A key that no record has gives nothing. With -Path or
    /// -LiteralPath it has no position: write -Key.
    /// </summary>
    [Parameter(ParameterSetName = ByTable, Position = 1)]
    [Parameter(ParameterSetName = ByDatabase, Position = 1)]
    [Parameter(ParameterSetName = ByPath)]
    [Parameter(ParameterSetName = ByLiteralPath)]
    public object[]? Key { get; set; }

    /// <summary>
    /// Only what changed after this sequence number, deleted records too, in the order of the changes. $_.LockstepState.IsDeleted tells
    /// which are deleted.
    /// </summary>
    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long? Since { get; set; }

    /// <summary>Also reads deleted records, if they are still known: those with $_.LockstepState.IsDeleted.</summary>
    [Parameter]
    public SwitchParameter IncludeDeleted { get; set; }

    /// <summary>
    /// Only these fields, in this order; wildcards are allowed, and JSON Pointers to what is inside a field: /metadata/name.
    /// </summary>
    [Parameter]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string[]? Property { get; set; }

    /// <summary>Returns the records as received: JSON texts, not objects.</summary>
    [Parameter]
    public SwitchParameter Raw { get; set; }

    /// <summary>Reads the quarantined malformed records instead, oldest first: their position, the reason, and their bytes.</summary>
    [Parameter]
    public SwitchParameter Quarantined { get; set; }

    private protected override void Begin()
    {
        if (
            Quarantined
            && (
                Key is not null
                || Filter is not null
                || FilterParameter is not null
                || Since is not null
                || IncludeDeleted
                || Property is not null
                || Raw
            )
        )
        {
            throw new InvalidOptionException(
                "A quarantined record has no fields or key.",
                "Leave out everything but the table, -Skip and -First."
            );
        }

        // A variable that is not set would mean all records.
        if (Key is null && MyInvocation.BoundParameters.ContainsKey(nameof(Key)))
        {
            throw new InvalidOptionException(
                "A key is not null.",
                "Give the keys as strings or numbers, or leave out -Key for all records."
            );
        }

        if (Raw && Property is not null)
            throw new InvalidOptionException("-Raw gives the records as they are, with all their fields.", "Leave out -Raw or -Property.");
    }

    private protected override void Process()
    {
        if (Quarantined)
        {
            var skip = (long)Math.Min(PagingParameters.Skip, long.MaxValue);
            var first = (long)Math.Min(PagingParameters.First, long.MaxValue);
            ForEachTable(found => QuarantineOutput.Write(this, found, skip, first, StopToken));
            return;
        }

        var query = new RecordQuery
        {
            Keys = Key is null ? null : [.. Key.Select(QueryValues.Key)],
            Since = Since,
            IncludeDeleted = IncludeDeleted,
            Filter = Filter,
            FilterParameters = QueryValues.Parameters(FilterParameter),
            Skip = (long)Math.Min(PagingParameters.Skip, long.MaxValue),
            First = PagingParameters.First < long.MaxValue ? (long)PagingParameters.First : null,
        };
        ForEachTable(found =>
        {
            if (PagingParameters.IncludeTotalCount)
                WriteObject(PagingParameters.NewTotalCount((ulong)found.Table.Count(query), accuracy: 1));

            WarnOfLoad(found.Table.GetInfo().LoadNote);
            WarnOfUnknown(found, Property);
            using var scan = found.Table.Read(query);
            var info = found.Table.GetInfo();
            RecordOutput.Write(
                this,
                scan,
                Raw ? null : warn => new RecordObjects(info.Name, warn, Property, info.Fields),
                tellsState: IncludeDeleted || Since is not null
            );
        });
    }
}
