namespace Lockstep.TestServer.Feeds;

/// <summary>What a record is ordered by.</summary>
internal enum OrderKind
{
    None,
    Number,
    Text,
}
