namespace Lockstep.TestServer.Feeds;

/// <summary>What a scripted feed sends to show that it is alive.</summary>
public enum HeartbeatKind
{
    /// <summary>A control row in the transaction dialect, else an object.</summary>
    Auto,

    /// <summary>An empty line.</summary>
    BlankLine,

    /// <summary><c>{"heartbeat":true}</c></summary>
    Object,

    /// <summary><c>{"control":true,"type":"heartbeat",...}</c></summary>
    ControlRow,
}
