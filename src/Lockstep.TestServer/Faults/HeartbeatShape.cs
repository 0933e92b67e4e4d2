namespace Lockstep.TestServer.Faults;

/// <summary>What a heartbeat looks like that a fault inserts.</summary>
public enum HeartbeatShape
{
    /// <summary>A line feed.</summary>
    BlankLine,

    /// <summary>A carriage return and a line feed.</summary>
    CrLf,

    /// <summary>Spaces without a line end.</summary>
    Spaces,

    /// <summary><c>{"heartbeat":true}</c> and a line feed.</summary>
    Object,

    /// <summary><c>{"heartbeat":true}</c> with nothing behind it.</summary>
    BareObject,

    /// <summary>A control row without <c>since</c>.</summary>
    ControlRow,
}
