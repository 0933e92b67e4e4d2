using Lockstep.TestServer.Feeds;
using Lockstep.TestServer.Requests;
using Lockstep.TestServer.Scenarios;

namespace Lockstep.TestServer.Control;

/// <summary>What the control path shows and steers: a <c>LockstepTestServer</c>, whose members say the rest. Thread-safe.</summary>
internal interface IControlledServer : IScenarioServer
{
    FeedKind Feed { get; }

    Uri FeedUri { get; }

    DateTimeOffset StartTime { get; }

    int RecordCount { get; }

    int ClientCount { get; }

    long SentRecords { get; }

    long SentBytes { get; }

    long RequestCount { get; }

    IReadOnlyList<TestRequest> Requests { get; }

    ScenarioRun? CurrentScenario { get; }

    /// <summary>The requests being answered, the oldest first.</summary>
    IEnumerable<TestRequest> Connected { get; }

    /// <summary>The newest records of the scripted feed, the newest first; none for the other feeds.</summary>
    IReadOnlyList<ReadOnlyMemory<byte>> Latest(int count);

    ScenarioRun StartScenario(Scenario scenario);
}
