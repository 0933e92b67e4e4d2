using System.Management.Automation;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Parameters;
using Lockstep.Pipeline;
using Lockstep.Sessions;
using Lockstep.TestServer.Faults;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Makes a test server misbehave. The other parameters depend on the kind of fault.</summary>
[Cmdlet(VerbsCommon.Add, "LockstepTestFault", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(TestFaultInfo))]
public sealed class AddLockstepTestFaultCommand : LockstepCmdlet, IDynamicParameters
{
    private RuntimeDefinedParameterDictionary? _parameters;

    /// <summary>The kind: Cut, Stall, Status and so on; <c>Get-LockstepTestFault -ListAvailable</c> shows them all.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ArgumentCompleter(typeof(FaultKindCompleter))]
    public string Kind { get; set; } = "";

    /// <summary>A name for it, to remove it by; generated if not given.</summary>
    [Parameter]
    public string? Id { get; set; }

    /// <summary>The server; the only running one if none is given.</summary>
    [Parameter(ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>The parameters of the given kind.</summary>
    public object? GetDynamicParameters() => _parameters = FaultParameters.Of(Kind);

    private protected override object? ErrorTarget => Kind;

    private protected override void Process()
    {
        var server = Server ?? SessionServers<TestServerInfo>.Current.Only;
        try
        {
            var fault = FaultKinds.Create(Kind, FaultParameters.Given(_parameters));
            if (ShouldProcess(server.ToString(), fault.ToString()))
                WriteObject(server.Server.Server.Faults.Add(fault, Id).ToModel(server));
        }
        catch (ArgumentException error)
        {
            throw new InvalidOptionException(
                PlainText.MessageOf(error),
                "Get-LockstepTestFault -ListAvailable shows the kinds and what each takes."
            );
        }
    }
}

/// <summary>Lists the faults of a test server, or the available kinds.</summary>
[Cmdlet(VerbsCommon.Get, "LockstepTestFault", DefaultParameterSetName = nameof(Server))]
[OutputType(typeof(TestFaultInfo), ParameterSetName = [nameof(Server)])]
[OutputType(typeof(TestFaultKindInfo), ParameterSetName = [nameof(ListAvailable)])]
public sealed class GetLockstepTestFaultCommand : LockstepCmdlet
{
    /// <summary>Only faults with these ids; wildcards are allowed.</summary>
    [Parameter(Position = 0, ParameterSetName = nameof(Server))]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FaultIdCompleter))]
    public string Id { get; set; } = "*";

    /// <summary>The server; the only running one if none is given.</summary>
    [Parameter(ParameterSetName = nameof(Server), ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>Lists the kinds of fault with their parameters.</summary>
    [Parameter(ParameterSetName = nameof(ListAvailable), Mandatory = true)]
    public SwitchParameter ListAvailable { get; set; }

    private protected override void Process()
    {
        if (ListAvailable)
        {
            foreach (var kind in FaultKinds.All)
            {
                WriteObject(
                    new TestFaultKindInfo(
                        kind.Name,
                        kind.Description,
                        [.. kind.Parameters.Select(parameter => $"-{parameter.Name} <{parameter.TypeName}> {parameter.Description}")]
                    )
                );
            }

            return;
        }

        var server = Server ?? SessionServers<TestServerInfo>.Current.Only;
        var pattern = WildcardPattern.Get(Id, PatternOptions.AnyCase);
        foreach (var fault in server.Server.Server.Faults.Where(fault => pattern.IsMatch(fault.Id)))
            WriteObject(fault.ToModel(server));
    }
}

/// <summary>Removes faults from a test server; responses already in progress keep them.</summary>
[Cmdlet(
    VerbsCommon.Remove,
    "LockstepTestFault",
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Low,
    DefaultParameterSetName = nameof(Id)
)]
public sealed class RemoveLockstepTestFaultCommand : LockstepCmdlet
{
    /// <summary>Faults with these ids; wildcards are allowed, and * removes all.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = nameof(Id))]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(FaultIdCompleter))]
    public string[] Id { get; set; } = [];

    /// <summary>The server; the only running one if none is given.</summary>
    [Parameter(ParameterSetName = nameof(Id))]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>Faults from <c>Add-LockstepTestFault</c> or <c>Get-LockstepTestFault</c>.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = nameof(InputObject))]
    public TestFaultInfo[] InputObject { get; set; } = [];

    private protected override object? ErrorTarget => Id;

    private protected override void Process()
    {
        foreach (var fault in InputObject)
            Remove(fault.Server, fault.Id);

        foreach (var id in Id)
        {
            var server = Server ?? SessionServers<TestServerInfo>.Current.Only;
            var pattern = WildcardPattern.Get(id, PatternOptions.AnyCase);
            string[] found = [.. server.Server.Server.Faults.Select(fault => fault.Id).Where(pattern.IsMatch)];
            if (found.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(id))
            {
                throw new InvalidOptionException(
                    $"The server at {server.FeedUri} has no fault {id}.",
                    "Get-LockstepTestFault lists those that it has."
                );
            }

            foreach (var each in found)
                Remove(server, each);
        }
    }

    private void Remove(TestServerInfo server, string id)
    {
        if (ShouldProcess(server.ToString(), $"Remove the fault {id}"))
            server.Server.Server.Faults.Remove(id);
    }
}
