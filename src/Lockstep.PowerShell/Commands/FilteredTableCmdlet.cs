using System.Collections;
using System.Management.Automation;

namespace Lockstep.Commands;

/// <summary>The base of the cmdlets that read the records of tables, all or those that an expression holds for.</summary>
public abstract class FilteredTableCmdlet : TableCmdlet
{
    private protected FilteredTableCmdlet() { }

    /// <summary>One SQL expression over the fields: only the records for which it holds.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(FieldCompleter))]
    public string? Filter { get; set; }

    /// <summary>Values for the names that -Filter has with a <c>$</c>, <c>@</c> or <c>:</c>.</summary>
    [Parameter]
    public IDictionary? FilterParameter { get; set; }
}
