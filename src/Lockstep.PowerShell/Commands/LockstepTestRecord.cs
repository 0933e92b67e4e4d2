using System.Management.Automation;
using System.Text;
using Lockstep.Errors;
using Lockstep.Records;
using Lockstep.Sessions;
using Lockstep.TestServers;

namespace Lockstep.Commands;

/// <summary>Adds records to the scripted feed of a test server; connected clients get them at once.</summary>
[Cmdlet(VerbsCommon.Add, "LockstepTestRecord", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(object), ParameterSetName = [nameof(PassThru)])]
public sealed class AddLockstepTestRecordCommand : LockstepCmdlet
{
    private readonly RecordSerializer _serializer = new();
    private RunningServer _server = null!;
    private object? _current;

    /// <summary>The records: objects, hashtables, or strings that hold a JSON object each.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public object[] Record { get; set; } = [];

    /// <summary>The server; the only one that runs if none is given.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>Hands the records on.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override object? ErrorTarget => _current;

    private protected override void Begin()
    {
        _server = (Server ?? SessionServers<TestServerInfo>.Current.Only).Server;
        if (_server.Feed != TestServerFeed.Scripted)
            throw new InvalidOptionException($"The server at {_server.FeedUri} sends the {_server.Feed} feed, which takes no records.", "Start one with -Feed Scripted.");
    }

    private protected override void Process()
    {
        foreach (var record in Record)
        {
            _current = record;
            if (!ShouldProcess(_server.FeedUri.ToString(), "Add a record"))
                continue;

            _server.Add(RecordTexts.TextOf(record) is { } text ? Encoding.UTF8.GetBytes(text) : _serializer.Serialize(record).ToArray());
            if (PassThru)
                WriteObject(record);
        }
    }
}
