namespace Lockstep.Engine.Records;

/// <summary>What an object of the feed is.</summary>
internal enum ParsedKind
{
    Record,
    Signal,
    Malformed,
}
