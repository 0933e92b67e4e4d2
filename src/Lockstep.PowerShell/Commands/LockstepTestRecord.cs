using System.Management.Automation;
using System.Text;
using Lockstep.Completers;
using Lockstep.Engine;
using Lockstep.Pipeline;
using Lockstep.Records;
using Lockstep.Sessions;

namespace Lockstep.Commands;

/// <summary>Adds records to the feed of a test server, or removes them; connected clients receive them at once.</summary>
[Cmdlet(VerbsCommon.Add, "LockstepTestRecord", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Low)]
[OutputType(typeof(object), ParameterSetName = [nameof(PassThru)])]
public sealed class AddLockstepTestRecordCommand : LockstepCmdlet
{
    private readonly RecordSerializer _serializer = new();
    private object? _current;

    /// <summary>The records: objects, hashtables, or strings with a JSON object each.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    public object[] Record { get; set; } = [];

    /// <summary>The server; the only running one if none is given. It may come from the pipeline if the records do not.</summary>
    [Parameter(ValueFromPipeline = true)]
    [ArgumentCompleter(typeof(TestServerCompleter))]
    public TestServerInfo? Server { get; set; }

    /// <summary>
    /// The records are deleted: in a feed in another server's dialect, where each needs only its key. In the scripted feed a record marks
    /// this itself, with its deleted_at.
    /// </summary>
    [Parameter]
    public SwitchParameter Removed { get; set; }

    /// <summary>Passes the records on.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override object? ErrorTarget => _current;

    private protected override void Process()
    {
        if (Record is [PSObject { BaseObject: TestServerInfo } or TestServerInfo])
            throw new InvalidOptionException("A server came from the pipeline, but no record was given.", "Give the records with -Record.");

        var server = (Server ?? SessionServers<TestServerInfo>.Current.Only).Server;
        if (!server.TakesRecords)
        {
            throw new InvalidOptionException(
                $"The server at {server.FeedUri} sends the {server.Feed} feed, which does not accept records.",
                "Start one with -Feed Scripted, or that of another server such as -Feed ODataDelta."
            );
        }

        if (Removed && server.Feed == TestServerFeed.Scripted)
        {
            throw new InvalidOptionException(
                "In the Scripted feed a record itself says that it is deleted.",
                "Give it a deleted_at: @{ id = 1; updated_at = 2; deleted_at = 2 }."
            );
        }

        foreach (var record in Record)
        {
            _current = record;
            if (!ShouldProcess(server.FeedUri.ToString(), Removed ? "Remove a record" : "Add a record"))
                continue;

            var json = RecordTexts.TextOf(record) is { } text ? Encoding.UTF8.GetBytes(text) : _serializer.Serialize(record).ToArray();
            if (Removed)
                server.Remove(json);
            else
                server.Add(json);
            if (PassThru)
                WriteObject(record);
        }
    }
}
